"""Which packages say what a native checkpoint means, and what is installed beside each."""

from __future__ import annotations

__all__ = ["PACKAGES", "RECIPES"]

#: By the name of a golden file: the module of this package that writes it, which is also the environment's name.
RECIPES: dict[str, str] = {
    "sam2.1_hiera": "sam2",
    "sam2_hiera": "sam2",
    "groundingdino": "grounding_dino",
    "clap_unfused": "clap",
    "clap_fused": "clap",
    # Of the sizes that are published, under the names of those files.
    "sam2.1_hiera_tiny": "sam2",
    "sam2.1_hiera_small": "sam2",
    "sam2.1_hiera_base_plus": "sam2",
    "sam2.1_hiera_large": "sam2",
    "sam2_hiera_tiny": "sam2",
    "groundingdino_swint_ogc": "grounding_dino",
    "groundingdino_swinb_cogcoor": "grounding_dino",
    "630k-audioset-best": "clap",
    "630k-audioset-fusion-best": "clap",
    "music_audioset_epoch_15_esc_90.14": "clap",
}

#: By module: the package itself and others that are installed without what they ask for, which is another torch; and
#: what is needed of that here.
PACKAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sam2": (
        ("sam2==1.1.0",),
        ("setuptools", "numpy==1.26.4", "hydra-core==1.3.2", "iopath==0.1.10", "tqdm", "pillow"),
    ),
    "grounding_dino": (
        ("groundingdino-py==0.4.0", "timm==0.9.16"),
        (
            *("setuptools", "numpy==1.26.4", "transformers==4.30.2", "opencv-python-headless==4.10.0.84"),
            *("supervision==0.6.0", "addict", "yapf", "pycocotools"),
        ),
    ),
    "clap": (
        ("laion-clap==1.1.7", "torchlibrosa==0.1.0", "torchaudio==2.11.0"),
        (
            *("numpy==1.26.4", "transformers==4.30.2", "librosa==0.10.2", "soundfile", "ftfy"),
            *("braceexpand", "webdataset", "wget", "wandb", "scipy", "scikit-learn", "pandas", "h5py", "tqdm", "regex"),
            *("progressbar", "setuptools"),
        ),
    ),
}
