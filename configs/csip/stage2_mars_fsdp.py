"""CSIP stage 2 on MARS with CLIP's ViT-L/14, sharded over the processes.

Each process keeps its share of the 304 million weights of the tower, of their gradients
and of the optimiser state; run it with tools/dist_train.sh. On one process it trains
the whole model. Patches of 14 pixels leave 4 rows and 2 columns of a frame unseen.
Stage 1 has to be trained with the same tower, from its converted weights:

    tools/train.py configs/csip/stage1_mars.py --work-dir work_dirs/stage1_mars_l14
        --pretrained checkpoints/clip-vit-l14_256x128.pth
        --cfg-options model.image_encoder.arch=l14 model.image_encoder.embed_dim=768

Source: arXiv:2511.13150 for the recipe, with a larger tower than the paper's.
Batch: 4 identities x 4 tracklets on each process; memory and time not measured yet.
"""

_base_ = './stage2_mars.py'

embed_dim = 768  # space shared by images and skeletons

model = dict(image_encoder=dict(arch='l14', embed_dim=embed_dim))
# Layers are gathered one at a time. The rest of the model is small.
model_wrapper_cfg = dict(
    type='FullyShardedModel', groups=['image_encoder.layers', 'skeleton_encoder.layers']
)
default_hooks = dict(pretrained=dict(checkpoint='work_dirs/stage1_mars_l14/epoch_120.pth'))
