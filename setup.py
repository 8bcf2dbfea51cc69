"""Installation of the toolbox."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = (HERE / 'csipreid' / 'version.py').read_text(encoding='utf-8').split("'")[1]

LSVID = ['h5py>=3.9']  # its queries are in a MATLAB 7.3 file
POSE = ['ai-edge-litert>=2.0']  # runs BlazePose
CLIP = ['open_clip_torch>=2.26']  # the text tower and tokenizer of CLIP-ReID
# Export to ONNX files, and what computes them.
ONNX = ['onnx>=1.16', 'onnxruntime>=1.18', 'onnxscript>=0.3']
TEST = [
    'pytest>=7.4',
    'hypothesis>=6.80',
    *LSVID,
    *ONNX,
    # What converted weights are compared with.
    *CLIP,
    'safetensors>=0.4',
    'transformers>=4.40',
]

setup(
    name='csipreid',
    version=VERSION,
    description='Skeleton-image pretraining for video-based person re-identification',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['csipreid', 'csipreid.*']),
    python_requires='>=3.10',
    # The onedl packages are the maintained forks of mmengine, mmcv and mmpretrain;
    # the import names are the same.
    install_requires=[
        'torch>=2.4',
        'torchvision>=0.19',
        'onedl-mmengine>=0.10.12,<0.11',
        'onedl-mmcv>=2.3.6,<2.4',
        'onedl-mmpretrain>=1.3.6,<1.4',
        'numpy>=1.26',
        'opencv-python>=4.8',
        'scipy>=1.11',
    ],
    extras_require={
        'clip': CLIP,
        'lsvid': LSVID,
        'onnx': ONNX,
        'pose': POSE,
        'test': TEST,
        'dev': [*TEST, 'mypy>=1.11', 'ruff>=0.9'],
    },
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
