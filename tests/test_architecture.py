"""The house rules that a machine can check."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path for top in ('csipreid', 'tools', 'demo', 'tests') for path in (ROOT / top).rglob('*.py')
)
# Package -> packages of ours that it may import, besides itself.
MAY_IMPORT = {
    'registry': set(),
    'version': set(),
    'arguments': set(),
    'checkpoint': {'file_content', 'torchscript_archive'},
    'file_content': set(),
    'torchscript_archive': set(),
    'config_text': set(),
    'pretrained_weights': {'checkpoint'},
    'feature_cache': set(),
    'output_folder': set(),
    'worker_processes': set(),
    'structures': set(),
    'skeletons': {'worker_processes'},
    'synthetic': {'skeletons', 'worker_processes'},
    'datasets': {
        'feature_cache',
        'file_content',
        'output_folder',
        'registry',
        'structures',
        'skeletons',
    },
    'pose_estimation': {'registry', 'skeletons', 'datasets', 'worker_processes'},
    'diagnosis': {'registry', 'skeletons', 'datasets', 'evaluation', 'worker_processes'},
    'models': {'registry', 'structures', 'skeletons'},
    'deployment': {'file_content', 'models', 'structures', 'version'},
    'evaluation': {'file_content', 'registry'},
    'visualization': {'registry', 'structures', 'skeletons'},
    'engine': {
        'arguments',
        'checkpoint',
        'feature_cache',
        'registry',
        'structures',
        'visualization',
        'worker_processes',
    },
    'apis': {
        'checkpoint',
        'config_text',
        'deployment',
        'output_folder',
        'registry',
        'structures',
        'datasets',
        'models',
        'evaluation',
        'visualization',
    },
}
# Device literals, which ruff does not see.
BANNED = ('.cuda(', "'cuda'", '"cuda"', "'npu'")


def own_imports(path):
    """Yield the sub-packages of csipreid that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or '']
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.split('.')[1] for name in names if name.startswith('csipreid.'))


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_fits_the_house(path):
    text = path.read_text(encoding='utf-8')
    assert text.count('\n') <= 400
    inside = path.relative_to(ROOT).parts
    if inside[0] == 'csipreid':
        assert [word for word in BANNED if word in text] == []
        assert 'csipreid.tools' not in text
    if inside[0] == 'csipreid' and len(inside) > 2:
        assert set(own_imports(path)) <= MAY_IMPORT[inside[1]] | {inside[1]}


def test_every_package_has_its_tests():
    packages = {
        path.name for path in (ROOT / 'csipreid').iterdir() if (path / '__init__.py').is_file()
    }
    tested = {path.name for path in (ROOT / 'tests').iterdir() if path.is_dir()}
    assert packages - tested == set()


def test_every_registry_location_can_be_imported():
    from csipreid import registry

    for child in vars(registry).values():
        if isinstance(child, registry.Registry):
            child.import_from_location()
