"""The one family of errors that the project raises for bad input.

Every message names the value, what was expected and where it came from. The command line prints the
message on one line and exits with status 2; anything outside this family is a bug and keeps its
traceback.
"""


class GraspbookError(Exception):
    """Base of every error that a user can cause and fix."""


class MeshError(GraspbookError):
    """A mesh that cannot be loaded, repaired, or be a graspable object."""


class HandError(GraspbookError):
    """A file of a hand that cannot be used."""


class GraspFileError(GraspbookError):
    """A grasp file that is missing, truncated, or not in the ACRONYM layout."""


class CaptureError(GraspbookError):
    """A depth capture or a point cloud that holds no usable points."""


class ParameterError(GraspbookError):
    """An unknown profile or parameter, a wrong type, or an impossible value."""


class WeightsError(GraspbookError):
    """Weights or a checkpoint that are missing or do not fit the network."""


class OutputError(GraspbookError):
    """A place where results cannot be written."""


class OtherTrialsError(OutputError):
    """Records of trials of another setup or object in the folder where a run was to continue."""


class NoGraspError(GraspbookError):
    """An object for which no grasp holds or can be carried out, though all went well."""


class NotebookError(GraspbookError):
    """A notebook that failed, or whose kernel died."""


class PlanError(GraspbookError):
    """An object for which no grasp can be planned."""


class RobotError(GraspbookError):
    """An arm, a gripper, a camera or a controller that cannot do what it is asked, or a request
    that is not safe.
    """
