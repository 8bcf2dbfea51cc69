from csipreid.pose_estimation.estimated_pose import needs


def test_the_message_says_what_who_and_how():
    message = needs('a-package', 'AnEstimator', 'pip install it')
    assert message == 'AnEstimator needs a-package, which is not installed; pip install it'
