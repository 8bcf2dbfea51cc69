import importlib.util
import json
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / 'tools/analysis_tools/benchmark_skeletons.py'
spec = importlib.util.spec_from_file_location('benchmark_skeletons', PATH)
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)


@pytest.mark.slow
def test_packed_loading_is_faster_and_its_memory_is_shared(tmp_path, monkeypatch):
    # Processes import the measuring function by name.
    monkeypatch.setattr(benchmark, 'measure_sharing', lambda *args: dict(shared_mb=1, mapped_mb=2))
    out = tmp_path / 'out.json'
    benchmark.main(['--frames', '2000', '--json-frames', '400', '--json', str(out)])
    result = json.loads(out.read_text())
    assert result['ratio'] > 5
    assert result['open_seconds'] < 1
