"""Bodies: the lengths and girths of a walker."""

from dataclasses import dataclass

BODY_RANGES = dict(
    height=(1.56, 1.88),
    leg_share=(0.455, 0.500),
    arm_share=(0.295, 0.340),
    shoulder_share=(0.084, 0.108),
    hip_share=(0.052, 0.070),
    girth=(0.80, 1.30),
    belly=(0.85, 1.35),
    head_size=(0.92, 1.10),
    lean=(-0.03, 0.17),
    slouch=(0.0, 0.40),
    head_drop=(0.0, 0.45),
    shoulder_drop=(0.02, 0.22),
    arm_spread=(0.05, 0.26),
)


@dataclass(frozen=True)
class Body:
    """Shape and posture of one person; every bone keeps its length in all poses.

    Args:
        height: From sole to crown when upright, in metres.
        leg_share: Hip to ankle, as a share of the height.
        arm_share: Shoulder to wrist, as a share of the height.
        shoulder_share: Thorax to shoulder joint, as a share of the height.
        hip_share: Pelvis to hip joint, as a share of the height.
        girth: Thickness of the limbs, 1 is average.
        belly: Depth of the trunk, 1 is average.
        head_size: Width of the head, 1 is average.
        lean: Forward lean of the trunk, in radians.
        slouch: Forward bend of the upper against the lower trunk, in radians.
        head_drop: Forward bend of the neck against the upper trunk, in radians.
        shoulder_drop: Slope of the shoulders, in radians.
        arm_spread: Angle of the arms away from the trunk, in radians.
    """

    height: float
    leg_share: float
    arm_share: float
    shoulder_share: float
    hip_share: float
    girth: float
    belly: float
    head_size: float
    lean: float
    slouch: float
    head_drop: float
    shoulder_drop: float
    arm_spread: float

    @property
    def ankle_height(self) -> float:
        """Ankle above the sole of a flat foot, in metres."""
        return 0.045 * self.height

    @property
    def foot(self) -> float:
        """Heel to toe, in metres."""
        return 0.148 * self.height

    @property
    def thigh(self) -> float:
        """Hip to knee, in metres."""
        return 0.51 * self.leg_share * self.height

    @property
    def shin(self) -> float:
        """Knee to ankle, in metres."""
        return 0.49 * self.leg_share * self.height

    @property
    def hip(self) -> float:
        """Pelvis to either hip joint, in metres."""
        return self.hip_share * self.height

    @property
    def shoulder(self) -> float:
        """Thorax to either shoulder joint, in metres."""
        return self.shoulder_share * self.height

    @property
    def upper_arm(self) -> float:
        """Shoulder to elbow, in metres."""
        return 0.54 * self.arm_share * self.height

    @property
    def forearm(self) -> float:
        """Elbow to wrist, in metres."""
        return 0.46 * self.arm_share * self.height

    @property
    def lower_trunk(self) -> float:
        """Pelvis to spine, in metres."""
        return 0.27 * self._above_hips

    @property
    def upper_trunk(self) -> float:
        """Spine to thorax, in metres."""
        return 0.33 * self._above_hips

    @property
    def neck(self) -> float:
        """Thorax to neck joint, in metres."""
        return 0.15 * self._above_hips

    @property
    def head(self) -> float:
        """Neck joint to crown, in metres."""
        return 0.25 * self._above_hips

    @property
    def _above_hips(self) -> float:
        return self.height - self.ankle_height - self.leg_share * self.height
