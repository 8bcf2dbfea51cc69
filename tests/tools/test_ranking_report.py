import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
QUIET = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync']


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'analysis_tools' / 'ranking_report.py'
    spec = importlib.util.spec_from_file_location('ranking_report', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_set(folder, name, noise, seed=0, shuffle=False):
    """Twelve people, two cameras, one junk tracklet; two frames each on disk."""
    rng = np.random.default_rng(seed)
    pid = np.array([*range(1, 13), *range(1, 13), *range(1, 13), -1])
    camid = np.array([0] * 12 + [1] * 12 + [0] * 12 + [1])
    embedding = np.eye(14)[pid] + noise * rng.normal(size=(37, 14))
    paths = []
    for row in range(37):
        frames = [f'{pid[row]:04d}/{row:02d}_{frame}.png' for frame in range(2)]
        for frame in frames:
            (folder / frame).parent.mkdir(exist_ok=True)
            cv2.imwrite(str(folder / frame), np.full((16, 8, 3), 5 * row, np.uint8))
        paths.append('\n'.join(frames))
    order = rng.permutation(37) if shuffle else np.arange(37)
    arrays = dict(embedding=embedding, pid=pid, camid=camid, is_query=np.arange(37) < 12)
    arrays = {key: value[order] for key, value in arrays.items()}
    np.savez(folder / name, **arrays, frame_paths=np.array(paths)[order])
    return folder / name


def make(tool, folder, *arguments):
    out = folder / 'report'
    features = [str(folder / 'a.npz'), '--out', str(out), '--data-root', str(folder)]
    tool.main([*features, '--protocol', 'csip', *arguments])
    text = (out / 'data.js').read_text()
    return out, json.loads(text.removeprefix('window.REPORT = ').rstrip(';\n'))


def test_queries_stand_worst_first_with_their_lists(tool, tmp_path):
    write_set(tmp_path, 'a.npz', noise=0.4)
    _, data = make(tool, tmp_path, '--top', '3')
    precisions = [query['ap'] for query in data['queries']]
    assert len(precisions) == 12
    assert precisions == sorted(precisions)
    for query in data['queries']:
        ranked = [verdict for _, _, verdict in query['list'] if verdict < 2]
        assert len(ranked) == 3
        if query['first'] <= 3:
            assert ranked.index(0) == query['first'] - 1
    assert data['measures'][1][0] == 'mAP'


def test_strips_show_the_frames(tool, tmp_path):
    write_set(tmp_path, 'a.npz', noise=0.4)
    out, data = make(tool, tmp_path)
    assert all(tracklet['shown'] for tracklet in data['tracklets'].values())
    strip = cv2.imread(str(out / 'strips' / '3.jpg'))
    assert strip.shape == (96, 98, 3)
    assert abs(int(strip[48, 24, 0]) - 15) <= 2


def test_missing_frames_are_counted_not_fatal(tool, tmp_path, capsys):
    write_set(tmp_path, 'a.npz', noise=0.4)
    shutil.rmtree(tmp_path / '0003')
    _, data = make(tool, tmp_path)
    assert not data['tracklets']['2']['shown']
    assert '3 of them have no readable frame' in capsys.readouterr().out


def test_another_model_is_compared_row_by_row_whatever_its_order(tool, tmp_path):
    write_set(tmp_path, 'a.npz', noise=0.4)
    write_set(tmp_path, 'b.npz', noise=0.4, shuffle=True)
    _, same = make(tool, tmp_path, '--compare', str(tmp_path / 'b.npz'))
    assert {query['change'] for query in same['queries']} == {0.0}
    write_set(tmp_path, 'b.npz', noise=3.0, seed=1)
    _, data = make(tool, tmp_path, '--compare', str(tmp_path / 'b.npz'))
    assert sum(query['change'] for query in data['queries']) > 0
    assert data['other'] == 'b'


def test_different_test_sets_are_not_compared(tool, tmp_path):
    write_set(tmp_path, 'a.npz', noise=0.4)
    with np.load(write_set(tmp_path, 'b.npz', noise=0.4)) as archive:
        np.savez(tmp_path / 'b.npz', **(dict(archive) | dict(pid=archive['pid'] + 1)))
    with pytest.raises(SystemExit, match='different test sets'):
        make(tool, tmp_path, '--compare', str(tmp_path / 'b.npz'))


def test_the_worst_queries_alone_can_be_shown(tool, tmp_path):
    write_set(tmp_path, 'a.npz', noise=0.6)
    _, all_queries = make(tool, tmp_path)
    _, data = make(tool, tmp_path, '--max-queries', '4')
    assert [q['row'] for q in data['queries']] == [q['row'] for q in all_queries['queries'][:4]]


def test_a_folder_of_something_else_is_not_replaced(tool, tmp_path):
    write_set(tmp_path, 'a.npz', noise=0.4)
    (tmp_path / 'report').mkdir()
    (tmp_path / 'report' / 'thesis.tex').touch()
    with pytest.raises(
        SystemExit, match=r"holds 'thesis\.tex', which this run of ranking_report does not"
    ):
        make(tool, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason='Chromium is not installed')
@pytest.mark.parametrize(
    ('address', 'count', 'sections'),
    [('', '12 of 12', 12), ('#search=5', '1 of 12', 1), ('#filter=skipped', '0 of 12', 0)],
)
def test_page_loads_and_filters_in_a_browser(tool, tmp_path, address, count, sections):
    write_set(tmp_path, 'a.npz', noise=0.4)
    out, _ = make(tool, tmp_path)
    command = [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', *QUIET]
    command += [f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=3000']
    page = subprocess.run(
        [*command, '--dump-dom', f'file://{out / "index.html"}{address}'],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert f'{count} queries' in page
    assert len(re.findall('<section class="query">', page)) == sections


def test_the_page_ranks_by_the_metric_that_is_asked_for(tool, tmp_path):
    write_set(tmp_path, 'a.npz', noise=0.4)
    with np.load(tmp_path / 'a.npz') as archive:
        arrays = dict(archive)
    arrays['embedding'] += 1000  # directions become alike, distances stay
    np.savez(tmp_path / 'a.npz', **arrays)
    _, data = make(tool, tmp_path, '--metric', 'euclidean', '--top', '2')
    assert 'Euclidean distance' in data['card']
    query = data['queries'][0]
    row, distance, _ = query['list'][0]
    difference = arrays['embedding'][query['row']] - arrays['embedding'][row]
    assert distance == pytest.approx(np.linalg.norm(difference), abs=1e-3)


def test_a_second_report_leaves_what_others_put_there_out_of_its_way(tool, tmp_path):
    write_set(tmp_path, 'a.npz', noise=0.4)
    out, _ = make(tool, tmp_path)
    before = len(list((out / 'strips').iterdir()))
    make(tool, tmp_path, '--max-queries', '1', '--top', '1')
    assert len(list((out / 'strips').iterdir())) < before
    (out / 'strips/thesis.tex').touch()
    with pytest.raises(SystemExit, match=r"strips holds 'thesis\.tex', which this run"):
        make(tool, tmp_path)
