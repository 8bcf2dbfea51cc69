"""The joints and bones of the known layouts, by name.

A joint that begins with ``left_`` has its partner in the joint that begins with ``right_``.
Sides are the person's own. Bones run from the root outwards and form a tree.
"""

# Human3.6M subset of 17 joints (Ionescu et al., TPAMI 2014), in the order of the published
# CSIP-ReID skeleton files. Joint 9 lies at the nose, and is also called neck; joint 10 is the
# top of the head.
_H36M = dict(
    joints=(
        *('pelvis', 'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee'),
        *('left_ankle', 'spine', 'thorax', 'neck', 'head', 'left_shoulder', 'left_elbow'),
        *('left_wrist', 'right_shoulder', 'right_elbow', 'right_wrist'),
    ),
    bones=(
        *(('pelvis', 'right_hip'), ('right_hip', 'right_knee'), ('right_knee', 'right_ankle')),
        *(('pelvis', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle')),
        *(('pelvis', 'spine'), ('spine', 'thorax'), ('thorax', 'neck'), ('neck', 'head')),
        *(('thorax', 'left_shoulder'), ('left_shoulder', 'left_elbow')),
        ('left_elbow', 'left_wrist'),
        *(('thorax', 'right_shoulder'), ('right_shoulder', 'right_elbow')),
        ('right_elbow', 'right_wrist'),
    ),
    root='pelvis',
)

# COCO keypoints (Lin et al., ECCV 2014). There is no joint in the middle but the nose.
_COCO = dict(
    joints=(
        *('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder'),
        *('right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip'),
        *('right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'),
    ),
    bones=(
        *(('nose', 'left_eye'), ('nose', 'right_eye'), ('left_eye', 'left_ear')),
        *(('right_eye', 'right_ear'), ('nose', 'left_shoulder'), ('nose', 'right_shoulder')),
        *(('left_shoulder', 'left_elbow'), ('left_elbow', 'left_wrist')),
        *(('right_shoulder', 'right_elbow'), ('right_elbow', 'right_wrist')),
        *(('left_shoulder', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle')),
        *(('right_shoulder', 'right_hip'), ('right_hip', 'right_knee')),
        ('right_knee', 'right_ankle'),
    ),
    root='nose',
)

# BlazePose (Bazarevsky et al., CVPR workshop 2020), the order of MediaPipe.
_BLAZEPOSE = dict(
    joints=(
        *('nose', 'left_eye_inner', 'left_eye', 'left_eye_outer', 'right_eye_inner', 'right_eye'),
        *('right_eye_outer', 'left_ear', 'right_ear', 'left_mouth', 'right_mouth'),
        *('left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist'),
        *('right_wrist', 'left_pinky', 'right_pinky', 'left_index', 'right_index', 'left_thumb'),
        *('right_thumb', 'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle'),
        *('right_ankle', 'left_heel', 'right_heel', 'left_foot_index', 'right_foot_index'),
    ),
    bones=(
        *(('nose', 'left_eye_inner'), ('left_eye_inner', 'left_eye')),
        *(('left_eye', 'left_eye_outer'), ('left_eye_outer', 'left_ear')),
        *(('nose', 'right_eye_inner'), ('right_eye_inner', 'right_eye')),
        *(('right_eye', 'right_eye_outer'), ('right_eye_outer', 'right_ear')),
        *(('nose', 'left_mouth'), ('nose', 'right_mouth')),
        *(('nose', 'left_shoulder'), ('left_shoulder', 'left_elbow')),
        *(('left_elbow', 'left_wrist'), ('left_wrist', 'left_pinky')),
        *(('left_wrist', 'left_index'), ('left_wrist', 'left_thumb')),
        *(('nose', 'right_shoulder'), ('right_shoulder', 'right_elbow')),
        *(('right_elbow', 'right_wrist'), ('right_wrist', 'right_pinky')),
        *(('right_wrist', 'right_index'), ('right_wrist', 'right_thumb')),
        *(('left_shoulder', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle')),
        *(('left_ankle', 'left_heel'), ('left_ankle', 'left_foot_index')),
        *(('right_shoulder', 'right_hip'), ('right_hip', 'right_knee')),
        *(('right_knee', 'right_ankle'), ('right_ankle', 'right_heel')),
        ('right_ankle', 'right_foot_index'),
    ),
    root='nose',
)

# SMPL (Loper et al., SIGGRAPH Asia 2015) with its kinematic tree.
_SMPL = dict(
    joints=(
        *('pelvis', 'left_hip', 'right_hip', 'spine1', 'left_knee', 'right_knee', 'spine2'),
        *('left_ankle', 'right_ankle', 'spine3', 'left_foot', 'right_foot', 'neck', 'left_collar'),
        *('right_collar', 'head', 'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow'),
        *('left_wrist', 'right_wrist', 'left_hand', 'right_hand'),
    ),
    bones=(
        *(('pelvis', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle')),
        *(('left_ankle', 'left_foot'), ('pelvis', 'right_hip'), ('right_hip', 'right_knee')),
        *(('right_knee', 'right_ankle'), ('right_ankle', 'right_foot'), ('pelvis', 'spine1')),
        *(('spine1', 'spine2'), ('spine2', 'spine3'), ('spine3', 'neck'), ('neck', 'head')),
        *(('spine3', 'left_collar'), ('left_collar', 'left_shoulder')),
        *(('left_shoulder', 'left_elbow'), ('left_elbow', 'left_wrist')),
        *(('left_wrist', 'left_hand'), ('spine3', 'right_collar')),
        *(('right_collar', 'right_shoulder'), ('right_shoulder', 'right_elbow')),
        *(('right_elbow', 'right_wrist'), ('right_wrist', 'right_hand')),
    ),
    root='pelvis',
)

# Kinect v1, the order of its SDK, as in BIWI, IAS-Lab and KGBD.
_KINECT20 = dict(
    joints=(
        *('pelvis', 'spine', 'thorax', 'head', 'left_shoulder', 'left_elbow', 'left_wrist'),
        *('left_hand', 'right_shoulder', 'right_elbow', 'right_wrist', 'right_hand', 'left_hip'),
        *('left_knee', 'left_ankle', 'left_foot', 'right_hip', 'right_knee', 'right_ankle'),
        'right_foot',
    ),
    bones=(
        *(('pelvis', 'spine'), ('spine', 'thorax'), ('thorax', 'head')),
        *(('thorax', 'left_shoulder'), ('left_shoulder', 'left_elbow')),
        *(('left_elbow', 'left_wrist'), ('left_wrist', 'left_hand')),
        *(('thorax', 'right_shoulder'), ('right_shoulder', 'right_elbow')),
        *(('right_elbow', 'right_wrist'), ('right_wrist', 'right_hand')),
        *(('pelvis', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle')),
        *(('left_ankle', 'left_foot'), ('pelvis', 'right_hip'), ('right_hip', 'right_knee')),
        *(('right_knee', 'right_ankle'), ('right_ankle', 'right_foot')),
    ),
    root='pelvis',
)

# Kinect v2, the order of its SDK, as in KS20.
_KINECT25 = dict(
    joints=(
        *('pelvis', 'spine', 'neck', 'head', 'left_shoulder', 'left_elbow', 'left_wrist'),
        *('left_hand', 'right_shoulder', 'right_elbow', 'right_wrist', 'right_hand', 'left_hip'),
        *('left_knee', 'left_ankle', 'left_foot', 'right_hip', 'right_knee', 'right_ankle'),
        *('right_foot', 'thorax', 'left_hand_tip', 'left_thumb', 'right_hand_tip', 'right_thumb'),
    ),
    bones=(
        *(('pelvis', 'spine'), ('spine', 'thorax'), ('thorax', 'neck'), ('neck', 'head')),
        *(('thorax', 'left_shoulder'), ('left_shoulder', 'left_elbow')),
        *(('left_elbow', 'left_wrist'), ('left_wrist', 'left_hand')),
        *(('left_hand', 'left_hand_tip'), ('left_wrist', 'left_thumb')),
        *(('thorax', 'right_shoulder'), ('right_shoulder', 'right_elbow')),
        *(('right_elbow', 'right_wrist'), ('right_wrist', 'right_hand')),
        *(('right_hand', 'right_hand_tip'), ('right_wrist', 'right_thumb')),
        *(('pelvis', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle')),
        *(('left_ankle', 'left_foot'), ('pelvis', 'right_hip'), ('right_hip', 'right_knee')),
        *(('right_knee', 'right_ankle'), ('right_ankle', 'right_foot')),
    ),
    root='pelvis',
)

# OpenPose without eyes and ears (Cao et al., TPAMI 2019), as CASIA-B's skeletons in TranSG; its
# joint 0, at the nose, is the origin there.
_CASIA14 = dict(
    joints=(
        *('head', 'thorax', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder'),
        *('left_elbow', 'left_wrist', 'right_hip', 'right_knee', 'right_ankle', 'left_hip'),
        *('left_knee', 'left_ankle'),
    ),
    bones=(
        *(('head', 'thorax'), ('thorax', 'right_shoulder'), ('right_shoulder', 'right_elbow')),
        *(('right_elbow', 'right_wrist'), ('thorax', 'left_shoulder')),
        *(('left_shoulder', 'left_elbow'), ('left_elbow', 'left_wrist'), ('thorax', 'right_hip')),
        *(('right_hip', 'right_knee'), ('right_knee', 'right_ankle'), ('thorax', 'left_hip')),
        *(('left_hip', 'left_knee'), ('left_knee', 'left_ankle')),
    ),
    root='head',
)

# The 18 joints of Kinect v2 in the files of the UCalgary gait data set, in their order.
_UCALGARY18 = dict(
    joints=(
        *('left_foot', 'left_ankle', 'left_knee', 'left_hip', 'right_foot', 'right_ankle'),
        *('right_knee', 'right_hip', 'pelvis', 'spine', 'neck', 'head', 'left_shoulder'),
        *('right_shoulder', 'left_wrist', 'right_wrist', 'left_elbow', 'right_elbow'),
    ),
    bones=(
        *(('pelvis', 'spine'), ('spine', 'neck'), ('neck', 'head'), ('neck', 'left_shoulder')),
        *(('left_shoulder', 'left_elbow'), ('left_elbow', 'left_wrist')),
        *(('neck', 'right_shoulder'), ('right_shoulder', 'right_elbow')),
        *(('right_elbow', 'right_wrist'), ('pelvis', 'left_hip'), ('left_hip', 'left_knee')),
        *(('left_knee', 'left_ankle'), ('left_ankle', 'left_foot'), ('pelvis', 'right_hip')),
        *(('right_hip', 'right_knee'), ('right_knee', 'right_ankle')),
        ('right_ankle', 'right_foot'),
    ),
    root='pelvis',
)

TABLES: dict[str, dict] = dict(
    h36m=_H36M,
    coco=_COCO,
    blazepose=_BLAZEPOSE,
    smpl=_SMPL,
    kinect20=_KINECT20,
    kinect25=_KINECT25,
    casia14=_CASIA14,
    ucalgary18=_UCALGARY18,
)
