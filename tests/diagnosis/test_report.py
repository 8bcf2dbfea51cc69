from csipreid.diagnosis import Report


def test_errors_make_unfit_and_warnings_do_not():
    report = Report()
    report.add('warning', 'doubt', 'train', 'it is doubtful')
    assert report.fit
    report.add('error', 'trouble', 'train', 'it is broken')
    assert not report.fit


def test_all_things_are_counted_and_five_are_named():
    report = Report()
    report.add('note', 'many', 'train', 'many things', range(9))
    assert report.findings[0].count == 9
    assert report.findings[0].examples == ('0', '1', '2', '3', '4')


def test_a_finding_reads_as_a_line_and_its_examples():
    report = Report()
    report.add('error', 'trouble', 'train', 'it is broken', ['here'])
    assert str(report.findings[0]).split() == [
        'ERROR',
        'train',
        'trouble:',
        *['it', 'is', 'broken', 'here'],
    ]


def test_the_dict_is_plain():
    report = Report(subsets=dict(train=dict(tracklets=2)))
    report.add('error', 'trouble', 'train', 'it is broken', ['here'])
    assert report.to_dict() == dict(
        fit=False,
        subsets=dict(train=dict(tracklets=2)),
        matching={},
        findings=[
            dict(
                severity='error', kind='trouble', subset='train', message='it is broken',
                count=1, examples=['here'],
            )
        ],
    )  # fmt: skip
