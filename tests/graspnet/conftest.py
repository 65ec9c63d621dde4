import torch

# Several tests at once on few cores lose more to threads that wait for each other than small
# networks gain.
torch.set_num_threads(1)
