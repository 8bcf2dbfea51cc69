"""No reader runs what a file says: every one of them meets hostile files here.

A function that opens files in a new way, or a new script under tools/, fails the first
tests until it stands in one of the tables below.
"""

import ast
import importlib.util
import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from csipreid.apis import VideoReIDInferencer
from csipreid.checkpoint import read_checkpoint
from csipreid.datasets.ls_vid import _read_lines
from csipreid.datasets.mars import _read_names
from csipreid.datasets.matlab_tables import read_integers
from csipreid.datasets.mot_boxes import read_boxes
from csipreid.datasets.tracklet_folder import TrackletFolder
from csipreid.datasets.transforms.image_files import decode_image
from csipreid.datasets.video_files import read_video
from csipreid.deployment.frame_settings import read_settings
from csipreid.diagnosis.frame_checks import _read
from csipreid.engine.resuming import checkpoints_of
from csipreid.evaluation.feature_file import read_features
from csipreid.feature_cache import FeatureCache, stamp_file
from csipreid.file_content import describe_content, read_text
from csipreid.output_folder import check_complete
from csipreid.skeletons.files import read_origin, read_skeleton_file
from csipreid.skeletons.packed import PackedSkeletons
from csipreid.skeletons.sequences import read_sequences
from csipreid.synthetic import write_walkers
from csipreid.torchscript_archive import read_torchscript

ROOT = Path(__file__).parents[1]
STAGE1, STAGE2 = (str(ROOT / f'configs/csip/stage{n}_walkers.py') for n in (1, 2))
FOLDER = str(ROOT / 'configs/csip/stage1_folder.py')

# What opens a file to read it; a call is named as it is written.
OPENERS = {
    'torch.load', 'torch.jit.load', 'np.load', 'json.load', 'json.loads', 'loadmat', 'h5py.File',
    'open', 'zipfile.ZipFile', 'csv.DictReader', 'csv.reader', 'cv2.VideoCapture', 'cv2.imread',
    'cv2.imdecode', 'np.memmap', 'np.fromfile', 'np.loadtxt', 'pickle.load', 'pickle.loads',
    'load_file', 'Image.open', 'Interpreter', 'runpy.run_path', 'eval', 'exec', 'Config.fromstring',
}  # fmt: skip
METHODS = {'read_text', 'read_bytes', 'open', 'load', 'imread'}

# Where a hostile file lies for each reader, by the function's place. A text says why not.
OWN = 'reads only what the same run has written'
READERS = {
    'tools/dataset_converters/biwi_to_sequences.py:read_skeleton': 'by the tool, below',
    'tools/dataset_converters/ucalgary_to_sequences.py:read_recordings': 'by the tool, below',
    'csipreid/apis/ranking_sheets.py:_tile': 'images by OpenCV, as decode_image',
    'csipreid/checkpoint.py:read_checkpoint': read_checkpoint,
    'csipreid/checkpoint.py:put_in_place': OWN,
    'csipreid/datasets/ls_vid.py:_read_lines': _read_lines,
    'csipreid/datasets/mars.py:_read_names': _read_names,
    'csipreid/datasets/matlab_tables.py:read_integers': lambda p: read_integers(p, 'query_IDX'),
    'csipreid/datasets/matlab_tables.py:_is_hdf5': lambda p: read_integers(p, 'query_IDX'),
    'csipreid/datasets/matlab_tables.py:_read_hdf5': lambda p: read_integers(
        named(p, b'\x89HDF\r\n\x1a\n' + p.read_bytes()), 'query_IDX'
    ),
    'csipreid/datasets/mot_boxes.py:read_boxes': read_boxes,
    'csipreid/datasets/tracklet_folder.py:_read_table': lambda p: TrackletFolder(
        subset='train', data_root=str(p.parent), annotation=p.name, pipeline=[]
    ),
    'csipreid/datasets/transforms/image_files.py:decode_image': lambda p: decode_image(str(p)),
    'csipreid/datasets/video_files.py:_rewind': lambda p: list(read_video(p)),
    'csipreid/deployment/frame_settings.py:read_settings': read_settings,
    'csipreid/deployment/onnx_reid.py:read_metadata': 'by the test of onnx_export',
    'csipreid/deployment/onnx_reid.py:_hash_file': 'digests bytes',
    'csipreid/diagnosis/frame_checks.py:_read': lambda p: _read(str(p)),
    'csipreid/engine/resuming.py:_read_earlier': lambda p: checkpoints_of(
        named(p, name='earlier_checkpoints.json').parent
    ),
    'csipreid/evaluation/feature_file.py:_open_archive': read_features,
    'csipreid/evaluation/feature_file.py:_parse_meta': lambda p: read_features(features(p)),
    'csipreid/feature_cache.py:stamp_file': stamp_file,
    'csipreid/feature_cache.py:_load_arrays': lambda p: FeatureCache(
        named(p, name='frames.npz').parent, 1, 1
    ).stamps(),
    'csipreid/feature_cache.py:rows': lambda p: FeatureCache(
        named(p, name='features.npy').parent, 1, 1
    ).features(),
    'csipreid/file_content.py:describe_content': describe_content,
    'csipreid/file_content.py:read_text': read_text,
    'csipreid/output_folder.py:_read_json': lambda p: check_complete(
        named(p, name='.csipreid/tool.json').parents[1]
    ),
    'csipreid/pose_estimation/blaze_pose_estimator.py:__init__': 'a model of LiteRT, no pickle',
    'csipreid/pose_estimation/origins.py:_checksum': 'digests bytes',
    'csipreid/skeletons/files.py:read_origin': lambda p: read_origin(str(p)),
    'csipreid/skeletons/files.py:read_skeleton_file': lambda p: read_skeleton_file(str(p), 17),
    'csipreid/skeletons/packed.py:_map_arrays': lambda p: PackedSkeletons(str(p)),
    'csipreid/skeletons/sequences.py:_read_npz': lambda p: read_sequences(str(p), 'h36m', 17),
    'csipreid/skeletons/sequences.py:_read_npy': lambda p: read_sequences(
        str(named(p, name='frame_id_IAS_6.npy').parent), 'h36m', 17
    ),
    'csipreid/synthetic/walkers.py:_plain': OWN,
    'csipreid/synthetic/walkers.py:_is_finished': lambda p: write_walkers(
        named(p, name='walkers.json').parent
    ),
    'csipreid/torchscript_archive.py:is_torchscript': read_torchscript,
    'csipreid/torchscript_archive.py:read_torchscript': read_torchscript,
    **{f'tools/analysis_tools/benchmark_data.py:{n}': OWN for n in ('_frame', '_skeleton')},
    'tools/analysis_tools/benchmark_evaluation.py:grown_gallery': OWN,
    'tools/analysis_tools/benchmark_measure.py:_resident': 'reads /proc',
    'tools/analysis_tools/benchmark_skeletons.py:frames_per_second': OWN,
    'tools/analysis_tools/benchmark_skeletons.py:read_all': 'reads /proc',
    'tools/analysis_tools/ceilings.py:_clothing_groups': 'by the tool, below',
    'tools/analysis_tools/parity_rows.py:read_case': 'by the tool, below',
    'tools/analysis_tools/ranking_report.py:write_strips': 'images by OpenCV, as decode_image',
    'tools/analysis_tools/ranking_report.py:write': 'images by OpenCV, as decode_image',
    **{
        f'tools/misc/kill_and_resume.py:{n}': OWN
        for n in ('check_files', '_check_arrays', 'finish', 'check_leaving')
    },
    'tools/misc/run_splits.py:run_split': 'a path, given to train.py as one argument',
    'tools/misc/run_splits.py:read_measures': 'by the tool, below',
    'tools/misc/run_study.py:_checkpoint': 'a path, given to train.py as one argument',
    'tools/misc/run_study.py:_run': OWN,
    'tools/misc/run_study.py:_read_plan': 'by the tool, below',
    'tools/misc/study_plan.py:plan_of': 'formats a config of its own',
    'tools/misc/study_report.py:_read': OWN,
    'tools/misc/study_tasks.py:run_command': OWN,
    'tools/model_converters/clip_to_csipreid.py:_read_safetensors': 'by the tool, below',
    'tools/model_converters/publish_model.py:publish': OWN,
    **{f'demo/quickstart.py:{n}': OWN for n in ('draw_losses', '_list', 'picture')},
}
READERS_OF_CHECKPOINTS = {
    'apis': lambda p: VideoReIDInferencer(STAGE2, p),
    'its config': lambda p: VideoReIDInferencer(weights=p),
}

# Arguments with which each script reads a hostile file; a text says why it reads none.
TOOLS = {
    'tools/train.py': [lambda p: [STAGE1, '--data-root', p.with_name('walkers'), '--pretrained', p],
        lambda p: [STAGE1, '--data-root', p.with_name('walkers'), '--resume', p, '--no-validate'],
        lambda p: [STAGE1, '--data-root', p.with_name('walkers'), '--resume', '--work-dir', named(p,
        name='epoch_1.pth').parent]],
    'tools/test.py': [lambda p: [STAGE2, p, '--data-root', p.with_name('walkers')]],
    'tools/analysis_tools/eval_metric.py': [lambda p: [p], lambda p: [features(p)]],
    'tools/analysis_tools/calibrate_threshold.py': [lambda p: [p], lambda p: [features(p)]],
    'tools/analysis_tools/ranking_report.py': [lambda p: [p, '--out', p.with_name('report')]],
    'tools/analysis_tools/check_parity.py': [lambda p: [named(p, name='meta.json').parent],
        lambda p: [_parity(p, 'io.npz')], lambda p: [_parity(p, 'official_state_dict.pth')]],
    'tools/analysis_tools/browse_dataset.py': [lambda p: [FOLDER, '--data-root', _dataset(p)]],
    'tools/misc/verify_dataset.py': [lambda p: [FOLDER, '--data-root', _dataset(p)]],
    'tools/misc/run_splits.py': [lambda p: [ROOT / 'configs/csip/stage1_ilidsvid.py', '--splits',
        '0', '--work-dir', named(p, name='split0/metrics.json').parents[1]]],
    'tools/dataset_converters/box_people.py': [lambda p: [p, '--out', p.with_name('boxes.txt')]],
    'tools/dataset_converters/cut_tracklets.py': [lambda p: [p, p, '--out', p.with_name('cut')],
        lambda p: [p, named(p, b'1,1,2,3,20,40,1,-1,-1,-1\n'), '--out', p.with_name('cut')]],
    'tools/dataset_converters/extract_skeletons.py': [lambda p: ['--video', p, '--boxes', p,
        '--out', p.with_name('out'), '--model', p]],
    'tools/dataset_converters/pack_skeletons.py': [lambda p: [named(p,
        name='part/0001.json').parents[1]]],
    'tools/dataset_converters/biwi_to_sequences.py': [lambda p: [named(p,
        name='Training/001/1-skel.txt').parents[2], '--out', p.with_name('out'), '--clip', '0']],
    'tools/dataset_converters/ucalgary_to_sequences.py': [lambda p: [p, '--out',
        p.with_name('out')]],
    'tools/dataset_converters/video_to_sequences.py': [lambda p: [FOLDER, '--data-root',
        _dataset(p), '--out', p.with_name('out')]],
    'tools/dataset_converters/make_walkers.py': [lambda p: ['--out', named(p,
        name='walkers.json').parent]],
    'tools/model_converters/clip_to_csipreid.py': [lambda p: [p, p.with_name('new.pth'),
        '--image-size', '64', '32'], lambda p: [named(p, name='a.safetensors'),
        p.with_name('new.pth'), '--image-size', '64', '32' ]],
    'tools/model_converters/official_to_csipreid.py': [lambda p: [p, p.with_name('new.pth')],
        lambda p: [p, p.with_name('new.pth'), '--reverse']],
    'tools/deployment/export_onnx.py': [lambda p: [STAGE2, p, p.with_name('new.onnx')]],
    'tools/model_converters/publish_model.py': [lambda p: [STAGE2, p, p.with_name('new.pth')]],
    'tools/misc/run_study.py': [lambda p: [ROOT / 'demo/quickstart_study.py', '--out', named(p,
        name='seed0/tower/plan.json').parents[2]]],
    'tools/analysis_tools/ceilings.py': [lambda p: [named(p, name='walkers.json').parent]],
    'tools/misc/kill_and_resume.py': OWN,
    **{f'tools/analysis_tools/benchmark{n}.py': OWN for n in ('', '_evaluation', '_skeletons')},
    **{
        f'tools/analysis_tools/benchmark_{part}.py': 'a part of benchmark.py, which says so'
        for part in ('data', 'measure', 'models', 'published', 'stage1', 'stages')},
    **{
        f'tools/analysis_tools/parity_{part}.py': 'a part of check_parity.py, which says so'
        for part in ('clipreid', 'csip', 'rows', 'tfclip')},
    **{
        f'tools/misc/study_{part}.py': 'a part of run_study.py, which says so'
        for part in ('plan', 'report', 'tasks')},
    'demo/quickstart.py': OWN,
    **{
        f'tools/{name}.sh': 'hands its arguments to train.py or test.py'
        for name in ('dist_train', 'dist_test', 'slurm_job', 'slurm_train', 'slurm_test')},
}  # fmt: skip


class Opens:
    """Its pickle opens a file to write."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


def _archive(path, trap):
    torch.save({'state_dict': {'weight': trap}, 'meta': {}}, path)


def _meta(path, trap):
    code = f'open({trap.path!r}, "w")'
    sizes = dict(num_ids=code, num_cams=2, dataset_name=code)
    meta = dict(epoch=1, iter=1, config=code, cfg=code, seed=code, dataset_meta=sizes)
    torch.save(dict(state_dict={'weight': torch.ones(2)}, meta=meta), path)


HOSTILE = {
    'pickle': lambda p, trap: p.write_bytes(pickle.dumps(trap)),
    'checkpoint': _archive,
    'checkpoint of code': _meta,
    'array': lambda p, trap: np.save(p.open('wb'), np.array([trap], object)),
    'arrays': lambda p, trap: np.savez(
        p.open('wb'), **dict.fromkeys(
            ('embedding', 'pid', 'camid', 'is_query', 'size', 'names', 'keypoints', 'found'),
            np.array([trap], object),
        )
    ),
    'code': lambda p, trap: p.write_text(f'open({trap.path!r}, "w")\n'),
    'page': lambda p, _: p.write_text('<!DOCTYPE html><script>alert(1)</script>'),
    'pointer': lambda p, _: p.write_text('version https://git-lfs.github.com/spec/v1\n'),
    'nesting': lambda p, _: p.write_text('[' * 100_000),
    'nothing': lambda p, _: p.touch(),
    'noise': lambda p, _: p.write_bytes(bytes(range(256)) * 9),
}  # fmt: skip


def named(path, content=None, name='other'):
    """Copy a hostile file to another name, in a folder of its own."""
    target = path.parent / 'copy' / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes() if content is None else content)
    return target


def features(path):
    """A feature file that is right but for its texts, which are those of a hostile file."""
    text = path.read_bytes().decode('latin-1').replace('\0', ' ')[:150_000]
    arrays = dict(
        embedding=np.eye(4, dtype=np.float32), pid=np.array([1, 2, 1, 2]),
        camid=np.array([0, 0, 1, 1]), is_query=np.array([True, True, False, False]),
    )  # fmt: skip
    target = path.parent / 'features.npz'
    np.savez(target, **arrays, frame_paths=np.array([text[:200]] * 4), meta=np.array(text))
    return target


def _parity(path, name):
    meta = dict(batch=1, clip_len=1, image_size=[2, 2], num_joints=17)
    folder = named(path, json.dumps(meta).encode(), 'meta.json').parent
    np.savez(folder / 'io.npz', img=np.ones((1, 1, 3, 2, 2)), ske=np.ones((1, 1, 17, 3)))
    return named(path, name=name).parent


def _dataset(path):
    """A folder data set whose frames and skeletons are hostile."""
    for subset, pid in (('train', 1), ('train', 2), ('query', 3), ('gallery', 3)):
        named(path, name=f'{subset}/{pid}/c1_0001/1.jpg')
        named(path, name=f'skeleton_3d/{subset}/{pid}/c1_0001/1.json')
    return path.parent / 'copy'


@pytest.fixture(scope='session')
def walkers(tmp_path_factory):
    return write_walkers(
        tmp_path_factory.mktemp('hostile') / 'walkers', num_train_ids=4, num_test_ids=4,
        num_cams=2, tracklets=(1, 1), frames=(4, 4), num_workers=1,
    )  # fmt: skip


@pytest.fixture(params=HOSTILE)
def hostile(request, tmp_path):
    """A hostile file; what it wants to create must not be there in the end."""
    path, created = tmp_path / 'file.npz', tmp_path / 'created'
    HOSTILE[request.param](path, Opens(str(created)))
    yield path
    assert not created.exists()


def _reads(call):
    name = ast.unparse(call.func)
    writes = {'w', 'wb', 'a', 'ab', 'x'} & {a.value for a in call.args if hasattr(a, 'value')}
    return not writes and (name in OPENERS or name.split('.')[-1] in METHODS)


def readers():
    """Functions that open a file, but for those that load a config, which is a program."""
    for top in ('csipreid', 'tools', 'demo'):
        for path in sorted((ROOT / top).rglob('*.py')):
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if isinstance(node, ast.FunctionDef) and any(
                    isinstance(part, ast.Call) and _reads(part) for part in ast.walk(node)
                ):
                    yield f'{path.relative_to(ROOT).as_posix()}:{node.name}'


def scripts():
    for path in [*(ROOT / 'tools').rglob('*.py'), *(ROOT / 'demo').rglob('*.py')]:
        if "__name__ == '__main__'" in path.read_text(encoding='utf-8'):
            yield path.relative_to(ROOT).as_posix()
    for path in (ROOT / 'tools').rglob('*.sh'):
        yield path.relative_to(ROOT).as_posix()


def test_every_function_that_opens_a_file_meets_a_hostile_one():
    assert set(READERS) == set(readers())


def test_every_script_meets_a_hostile_file():
    assert set(TOOLS) == set(scripts())


def is_sentence(text):
    """Whether a message is one sentence, without advice to load the file with its code."""
    return '\n' not in text.strip() and 'weights_only' not in text and 'allow_pickle' not in text


CALLED = {k: v for k, v in (READERS | READERS_OF_CHECKPOINTS).items() if callable(v)}


@pytest.mark.parametrize('read', CALLED.values(), ids=CALLED)
def test_a_reader_runs_nothing_and_says_one_sentence(read, hostile):
    said = ''
    try:
        read(hostile)
    except (OSError, ValueError) as error:
        said = str(error)
    assert is_sentence(said)


def load(script):
    """Import a script."""
    path = ROOT / script
    spec = importlib.util.spec_from_file_location(f'hostile_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Build a runner, which takes seconds.
SLOW = ('tools/train.py', 'tools/test.py')
CALLS = [
    pytest.param(
        script, arguments, id=f'{script}-{number}',
        marks=[pytest.mark.slow] if script in SLOW else [],
    )
    for script, calls in TOOLS.items()
    if not isinstance(calls, str)
    for number, arguments in enumerate(calls)
]  # fmt: skip


@pytest.mark.parametrize(('script', 'arguments'), CALLS)
def test_a_script_runs_nothing_and_ends_with_one_sentence(
    script, arguments, hostile, walkers, monkeypatch, capsys
):
    if script in SLOW:
        shutil.copytree(walkers, hostile.with_name('walkers'))
    monkeypatch.chdir(hostile.parent)
    monkeypatch.syspath_prepend(str((ROOT / script).parent))
    given = list(map(str, arguments(hostile)))
    monkeypatch.setattr(sys, 'argv', [script, *given])
    module = load(script)
    code = None
    try:
        module.main()
    except SystemExit as end:
        code = end.code
    output = capsys.readouterr()
    said = code if isinstance(code, str) else output.err
    # A text that nobody reads as anything else is no reason to fail.
    assert code not in (0, None) or 'features.npz' in given[0], output
    assert 'Traceback' not in said
    assert is_sentence(said) if isinstance(code, str) else 'weights_only' not in said
