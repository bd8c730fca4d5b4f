"""Files that are written whole or not at all: checkpoints, model files, safetensors."""
