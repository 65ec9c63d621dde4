from graspbook import figures as figures
from graspbook.api import hand_grasp as hand_grasp
from graspbook.api import load_networks as load_networks
from graspbook.api import predict as predict
from graspbook.api import read_grasps as read_grasps
from graspbook.api import shake_test as shake_test
from graspbook.api import write_grasps as write_grasps
from graspbook.api_values import GraspSet as GraspSet
from graspbook.api_values import HandGrasp as HandGrasp
from graspbook.errors import GraspbookError as GraspbookError
from graspbook.hands.library import load_hand as load_hand
from graspbook.objects.sets import load_object as load_object
from graspbook.perception.capture import load_capture as load_capture

__version__: str
