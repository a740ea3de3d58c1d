# zsavs in a container, for a CPU, or for CUDA with the index of that PyTorch:
#   docker build -t zsavs .
#   docker build -t zsavs-cuda --build-arg TORCH=https://download.pytorch.org/whl/cu126 .
#   docker run --rm -v "$PWD:/work" -v zsavs-models:/models zsavs segment dog.jpg bark.wav
FROM python:3.11-slim

ARG TORCH=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir torch torchvision --index-url ${TORCH}

COPY pyproject.toml README.md LICENSE /source/
COPY zsavs /source/zsavs
RUN pip install --no-cache-dir "/source[pocket,video,coco]" && rm -rf /source

# Models lie in a volume of their own: `zsavs download pocket` into it, once.
ENV HF_HOME=/models ZSAVS_CACHE=/models/zsavs
RUN useradd --create-home zsavs && mkdir -p /models /work && chown zsavs /models /work
USER zsavs
VOLUME /models
WORKDIR /work
ENTRYPOINT ["zsavs"]
