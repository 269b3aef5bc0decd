import subprocess
import sys


def test_comparing_fingerprints_needs_no_array_or_image_library():
    script = (
        "import sys, captioner.stages.chain, captioner.report.evaluation;"
        "print(*{'numpy', 'PIL', 'h5py', 'tensorflow'} & sys.modules.keys())"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout == "\n", result.stderr
