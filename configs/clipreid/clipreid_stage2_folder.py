"""CLIP-ReID stage 2 on tracklets of your own: the MARS recipe; see clipreid_stage2_mars.py."""

_base_ = './clipreid_stage2_mars.py'

data_root = 'data/folder'

model = dict(camera_embedding=None)

train_dataloader = dict(dataset=dict(type='TrackletFolder', data_root=data_root))
val_dataloader = dict(dataset=dict(type='TrackletFolder', data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(protocol=dict(_delete_=True, base='market', name='folder', same_camera='keep'))
test_evaluator = val_evaluator

default_hooks = dict(pretrained=dict(checkpoint='work_dirs/clipreid_stage1_folder/epoch_120.pth'))
