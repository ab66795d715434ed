"""What somebody who knows the trade would write for each task."""

EXPERTS = {
    "vectorization-variant": {
        "convolution.py": """
import numpy as np

def convolve(images, filters, stride):
    fh, fw = filters.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(images, (fh, fw), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    return np.tensordot(windows, filters, axes=([3, 4, 5], [2, 0, 1]))
"""
    },
    "digits-variant": {
        "train.py": """
import numpy as np
from sklearn.svm import SVC

train = np.loadtxt("train.csv", delimiter=",", skiprows=1)
test = np.loadtxt("test.csv", delimiter=",", skiprows=1)
model = SVC(gamma=0.001, C=10).fit(train[:, :-1], train[:, -1].astype(int))
with open("submission.csv", "w") as file:
    file.write("digit\\n")
    file.writelines(f"{d}\\n" for d in model.predict(test))
"""
    },
    "tumours-variant": {
        "train.py": """
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

train = np.loadtxt("train.csv", delimiter=",", skiprows=1)
test = np.loadtxt("test.csv", delimiter=",", skiprows=1)
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=500))
model.fit(train[:, :-1], train[:, -1])
with open("submission.csv", "w") as file:
    file.write("chance\\n")
    file.writelines(f"{p}\\n" for p in model.predict_proba(test)[:, 1])
"""
    },
    "diabetes-variant": {
        "train.py": """
import numpy as np

train = np.loadtxt("train.csv", delimiter=",", skiprows=1)
test = np.loadtxt("test.csv", delimiter=",", skiprows=1)
x, y = train[:, :-1], train[:, -1]
penalty = 0.05 * np.eye(x.shape[1])
weights = np.linalg.solve(x.T @ x + penalty, x.T @ (y - y.mean()))
with open("submission.csv", "w") as file:
    file.write("progress\\n")
    file.writelines(f"{v}\\n" for v in test @ weights + y.mean())
"""
    },
    "letters-variant": {
        "train.py": """
from collections import Counter, defaultdict

alphabet = "abcdefghijklmnopqrstuvwxyz_"
text = open("train.txt").read().strip()
longest = 6
counts = [defaultdict(Counter) for _ in range(longest + 1)]
for i, letter in enumerate(text):
    for n in range(min(longest, i) + 1):
        counts[n][text[i - n : i]][letter] += 1


def chances(context):
    # Witten-Bell: every longer context is mixed with the one a letter shorter.
    mixed = {letter: 1 / len(alphabet) for letter in alphabet}
    for n in range(longest + 1):
        seen = counts[n].get(context[len(context) - n :])
        if not seen:
            break
        total, kinds = sum(seen.values()), len(seen)
        mixed = {a: (seen[a] + kinds * mixed[a]) / (total + kinds) for a in alphabet}
    return [mixed[a] for a in alphabet]


with open("submission.csv", "w") as file:
    file.write(",".join(alphabet) + "\\n")
    for context in open("test.csv").read().split()[1:]:
        file.write(",".join(f"{c:.8f}" for c in chances(context)) + "\\n")
"""
    },
}
