"""Writes features.pkl files as old scripts made them. Runs under Python 2 and 3:

python2.7 make_pickles.py python2     # NumPy 1.16.6
python3.8 make_pickles.py numpy1      # NumPy 1.21.6
"""

import os
import pickle
import sys

import numpy as np

FEATURES = {
    "1000268201_693b08cb0e": np.array([[0.0, 1.5, -2.25, 1e10]], dtype=np.float32),
    "1001773457_577c3a7d70": np.array([[127.0, -0.5, 3.0, 200.0]], dtype=np.float32),
}


def main(name):
    folder = os.path.dirname(os.path.abspath(__file__))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = os.path.join(folder, "%s_protocol%d.pkl" % (name, protocol))  # noqa: UP031
        with open(path, "wb") as file:
            pickle.dump(FEATURES, file, protocol)


if __name__ == "__main__":
    main(sys.argv[1])
