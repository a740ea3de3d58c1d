"""From files to arrays: decoding, resampling, windows, resizing, and the exact way back to the image's pixels."""
