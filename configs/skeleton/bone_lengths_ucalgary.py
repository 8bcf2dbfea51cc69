"""Bone lengths on the UCalgary gait data: what body size alone can tell; nothing is trained."""

_base_ = './csip_sgt_ucalgary.py'

model = dict(
    _delete_=True,
    type='BoneLengthReID',
    layout='ucalgary18',
    data_preprocessor=dict(type='SkeletonDataPreprocessor'),
)
val_evaluator = dict(protocol=dict(metric='euclidean'))
test_evaluator = val_evaluator
