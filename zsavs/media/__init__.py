"""Image and audio files to arrays, and arrays between sizes and sample rates, with the exact way back.

- :mod:`~zsavs.media.input_file`: input files, opened or refused with the reason.
- :mod:`~zsavs.media.arrays`: arrays from outside, checked and made read-only.
- :mod:`~zsavs.media.audio_file`: audio files, decoded to an audio clip.
- :mod:`~zsavs.media.audio_stream`: the sound of videos and of M4A, AAC, WMA, ..., placed by its time.
- :mod:`~zsavs.media.collector`: a waveform as it is decoded, in memory or in a temporary file.
- :mod:`~zsavs.media.video_file`: video files: their frames as a stream with their times, and their sound.
- :mod:`~zsavs.media.video_writer`: frames encoded to a video file, with the original sound.
- :mod:`~zsavs.media.audio_copy`: the sound of a file for another one, packet for packet or encoded again.
- :mod:`~zsavs.media.display`: how a video's frames are displayed: upright, with square pixels, in RGB.
- :mod:`~zsavs.media.container`: containers of moving pictures and sound, opened by PyAV.
- :mod:`~zsavs.media.wav_header`: the length that the header of a WAV file does not state.
- :mod:`~zsavs.media.mapped`: waveforms too long for memory, in a temporary file.
- :mod:`~zsavs.media.audio_clip`: the audio clip, its downmix, and excerpts of it.
- :mod:`~zsavs.media.activity`: the times at which an audio clip sounds, and windows over what is audible.
- :mod:`~zsavs.media.downmix`: whether channels cancel each other in their mean.
- :mod:`~zsavs.media.wav`: an audio clip, encoded as a WAV file.
- :mod:`~zsavs.media.waveform`: waveforms, resampled, fitted to a length, cut into windows.
- :mod:`~zsavs.media.spectrogram`: the short-time Fourier transform, and its inverse.
- :mod:`~zsavs.media.image_file`: image files, decoded to RGB.
- :mod:`~zsavs.media.colour`: palettes, CMYK, 16 bits and transparency, converted to 8-bit RGB.
- :mod:`~zsavs.media.resize`: images and maps, resized.
- :mod:`~zsavs.media.letterbox`: an image in a canvas of a fixed size, and the exact way back.
- :mod:`~zsavs.media.regions`: regions of an image, cropped or highlighted, and the tight box of a mask.
"""
