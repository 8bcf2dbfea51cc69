import torch

from csipreid.models.prototypes import clip_memory


def test_tokens_are_averaged_over_the_frames_that_have_them():
    image, skeletons = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 17, 4)
    valid = torch.tensor([[True, False, True], [True] * 3])
    memory, counts = clip_memory(image, skeletons, valid)
    torch.testing.assert_close(memory[:, :5], image.mean(dim=1))
    torch.testing.assert_close(memory[0, 5:], skeletons[0, [0, 2]].mean(dim=0))
    torch.testing.assert_close(memory[1, 5:], skeletons[1].mean(dim=0))
    assert counts.all()


def test_clip_without_skeleton_has_image_tokens_only():
    valid = torch.tensor([[False] * 3, [True, False, False]])
    memory, counts = clip_memory(torch.randn(2, 3, 5, 4), torch.randn(2, 3, 17, 4), valid)
    assert memory.shape == (2, 22, 4)
    assert counts[0].tolist() == [True] * 5 + [False] * 17
    assert counts[1].all()
