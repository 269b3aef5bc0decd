import zipfile

import pytest
from servers import FileServer

from captioner.datasets import archives
from captioner.datasets.download import fetch_flickr8k
from captioner.datasets.formats import read_dataset
from captioner.errors import DatasetError, DownloadError, UsageError

TEXTS = {
    "Flickr8k.token.txt": "1.jpg#0\tA dog .\n2.jpg#0\tA cat .\n",
    "Flickr_8k.trainImages.txt": "1.jpg\n",
    "Flickr_8k.devImages.txt": "2.jpg\n",
    "__MACOSX/._Flickr8k.token.txt": "litter",
}
PHOTOGRAPHS = {"Flicker8k_Dataset/1.jpg": "one", "Flicker8k_Dataset/2.jpg": "two"}


@pytest.fixture
def zips(tmp_path):
    folder = tmp_path / "zips"
    folder.mkdir()
    for name, members in (("Flickr8k_text.zip", TEXTS), ("Flickr8k_Dataset.zip", PHOTOGRAPHS)):
        with zipfile.ZipFile(folder / name, "w") as file:
            for member, content in members.items():
                file.writestr(member, content)
    return [folder / "Flickr8k_Dataset.zip", folder / "Flickr8k_text.zip"]


@pytest.fixture
def server(zips):
    with FileServer({path.name: path.read_bytes() for path in zips}) as server:
        yield server


def fetch(server, to):
    return fetch_flickr8k(to, base_url=server.url, pause_seconds=0)


def test_the_archives_become_a_data_set_and_leave_nothing_else(server, tmp_path):
    folder = fetch(server, tmp_path / "data/flickr8k")
    assert read_dataset("flickr8k", folder).split_sizes() == {"train": 1, "dev": 1}
    assert (folder / "Flickr8k_Dataset.zip.sha256").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["flickr8k"]


def test_a_finished_data_set_is_not_fetched_again(server, tmp_path):
    fetch(server, tmp_path / "data")
    server.requests.clear()
    assert fetch(server, tmp_path / "data") == tmp_path / "data"
    assert server.requests == []


def test_a_broken_download_leaves_no_data_set_and_continues(server, tmp_path):
    server.cut_after = [50, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match="ended early"):
        fetch(server, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    server.requests.clear()
    fetch(server, tmp_path / "data")
    assert server.requests == ["bytes=50-", None]


def test_archives_at_hand_are_used_and_kept(zips, tmp_path):
    (tmp_path / "data").mkdir()
    folder = fetch_flickr8k(tmp_path / "data", from_zip=zips, base_url="http://127.0.0.1:9")
    assert len(read_dataset("flickr8k", folder).images) == 2
    assert all(path.exists() for path in zips)


def test_offline_the_ways_out_are_told(tmp_path):
    with pytest.raises(DownloadError, match=r"(?s)127\.0\.0\.1:9.*--from-zip.*quickstart"):
        fetch_flickr8k(tmp_path / "data", base_url="http://127.0.0.1:9", pause_seconds=0)


def test_one_archive_alone_is_not_enough(zips, tmp_path):
    with pytest.raises(DatasetError, match="both archives are needed"):
        fetch_flickr8k(tmp_path / "data", from_zip=zips[:1])
    assert not (tmp_path / "data").exists()


def test_archives_that_lack_photographs_are_refused(zips, tmp_path):
    tokens = "".join(f"{number}.jpg#0\tA dog .\n" for number in range(100))
    names = [f"{number}.jpg" for number in range(100)]
    for num_photographs, is_taken in (99, True), (98, False):
        with zipfile.ZipFile(zips[0], "w") as file:
            for name in names[:num_photographs]:
                file.writestr(f"Flicker8k_Dataset/{name}", "photograph")
        with zipfile.ZipFile(zips[1], "w") as file:
            file.writestr("Flickr8k.token.txt", tokens)
        if is_taken:
            assert fetch_flickr8k(tmp_path / "taken", from_zip=zips).is_dir()
        else:
            with pytest.raises(DatasetError, match=r"lack photographs: 2 lines .* 98 captions"):
                fetch_flickr8k(tmp_path / "refused", from_zip=zips)
    assert not (tmp_path / "refused").exists()


def test_a_link_to_an_empty_folder_stays_a_link(zips, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "far")
    fetch_flickr8k(tmp_path / "data", from_zip=zips)
    assert (tmp_path / "data").is_symlink()
    assert (tmp_path / "far" / "Flickr8k.token.txt").exists()


def test_kaggles_archive_is_recognised(tmp_path):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as file:
        file.writestr("captions.txt", "image,caption\n1.jpg,A dog .\n")
        file.writestr("Images/1.jpg", "one")
    with pytest.raises(DatasetError, match="Kaggle's layout"):
        fetch_flickr8k(tmp_path / "data", from_zip=[tmp_path / "archive.zip"])


def test_a_missing_archive_is_a_slip(tmp_path):
    with pytest.raises(UsageError, match="No such archive"):
        fetch_flickr8k(tmp_path / "data", from_zip=[tmp_path / "none.zip"])


def test_a_folder_in_use_is_left_alone(zips, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/diary.txt").write_text("mine")
    with pytest.raises(DatasetError, match="something other than Flickr8k"):
        fetch_flickr8k(tmp_path / "data", from_zip=zips)
    assert (tmp_path / "data/diary.txt").read_text() == "mine"


def test_a_full_disk_while_unpacking_leaves_no_data_set(zips, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archives.shutil, "copyfileobj", fail)
        with pytest.raises(DownloadError, match="No space left"):
            fetch_flickr8k(tmp_path / "data", from_zip=zips)
    assert not (tmp_path / "data").exists()
    assert fetch_flickr8k(tmp_path / "data", from_zip=zips).is_dir()
