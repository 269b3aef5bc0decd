"""How images come to one size. Reading this module loads neither Pillow nor NumPy."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from captioner.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

Colour = tuple[int, int, int]
Fit = Literal["squash", "crop", "pad"]
Resample = Literal["nearest", "bilinear", "bicubic"]

WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class ResizeRule:
    """How an image comes to the size that an encoder wants; part of every fingerprint.

    Args:
        height: of the result, in pixels.
        width: of the result, in pixels.
        fit: "squash" changes the proportions and keeps all of the picture; "crop" keeps the
            proportions and cuts what stands out in the middle of the longer side; "pad" keeps
            both and fills up with the background.
        resample: the filter; all but "nearest" are antialiased.
    """

    height: int
    width: int
    fit: Fit = "squash"
    resample: Resample = "bicubic"

    def __post_init__(self) -> None:
        is_size = self.height >= 1 and self.width >= 1
        fits, filters = get_args(Fit), get_args(Resample)
        if not is_size or self.fit not in fits or self.resample not in filters:
            raise UsageError(
                f"{self} cannot be followed: expected a height and width of 1 or more, a fit "
                f"among {', '.join(fits)} and a filter among {', '.join(filters)}"
            )

    def describe(self) -> dict[str, Any]:
        """Returns the rule as a JSON object."""
        return asdict(self)

    def seen_share(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Returns which part of a picture the result shows.

        Args:
            size: (width, height) of the picture, upright.

        Returns:
            (left, top, right, bottom) as shares of its width and height, 0 to 1; with fit "pad"
            it reaches beyond the picture.
        """
        shape = self.width / self.height * size[1] / size[0]  # of the result beside the picture's
        if self.fit == "squash":
            return 0.0, 0.0, 1.0, 1.0
        across = min(shape, 1.0) if self.fit == "crop" else max(shape, 1.0)
        down = across / shape
        return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2

    def apply(self, image: "Image", background: Colour = WHITE) -> "Image":
        """Returns an RGB image of this rule's size."""
        from PIL import Image, ImageOps

        size, filter_ = (self.width, self.height), Image.Resampling[self.resample.upper()]
        match self.fit:
            case "crop":
                return ImageOps.fit(image, size, filter_)
            case "pad":
                return ImageOps.pad(image, size, filter_, color=background)
            case _:
                return image if image.size == size else image.resize(size, filter_)
