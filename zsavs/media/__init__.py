"""From files to arrays, and between sizes and rates: decoding, resampling, resizing, and the exact way back.

- :mod:`~zsavs.media.input_file`: opening a user's file, and saying what is wrong with it.
- :mod:`~zsavs.media.audio_file`: audio files, decoded to a waveform.
- :mod:`~zsavs.media.audio_clip`: audio in memory.
- :mod:`~zsavs.media.wav`: an audio clip as a WAV file.
- :mod:`~zsavs.media.waveform`: waveforms: resampled, fitted to a length, cut into windows.
- :mod:`~zsavs.media.spectrogram`: spectrograms, and the way back from them.
- :mod:`~zsavs.media.image_file`: image files, decoded to RGB.
- :mod:`~zsavs.media.colour`: palettes, CMYK, 16 bits and transparency to 8-bit RGB.
- :mod:`~zsavs.media.resize`: images and maps resized, and mask logits brought back to the original image.
- :mod:`~zsavs.media.letterbox`: an image in a canvas of a fixed size, and the exact way back.
- :mod:`~zsavs.media.regions`: regions of an image: cropped with a margin, or highlighted.
- :mod:`~zsavs.media.arrays`: arrays that are handed over, checked and made read-only.
"""
