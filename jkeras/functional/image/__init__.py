"""Pure functions of images: one of rank 3, `(h, w, c)`, or a batch of rank 4, `(b, h, w, c)`.

With `data_format="channels_first"` the channels stand before height and width. Every function keeps the dtype.
"""

from jkeras.functional.image.color import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from jkeras.functional.image.filters import gaussian_blur, sobel_edges, ssim
from jkeras.functional.image.patches import depth_to_space, extract_patches, fold, space_to_depth, unfold
from jkeras.functional.image.resizing import crop_images, pad_images, resize, scale_and_translate
from jkeras.functional.image.warping import (
    affine_transform,
    elastic_transform,
    map_coordinates,
    perspective_transform,
)

__all__ = [
    "affine_transform",
    "crop_images",
    "depth_to_space",
    "elastic_transform",
    "extract_patches",
    "fold",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "space_to_depth",
    "ssim",
    "unfold",
]
