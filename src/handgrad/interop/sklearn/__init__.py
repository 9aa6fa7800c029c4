"""Networks as scikit-learn estimators: fitted, scored, searched over, put into pipelines like any other."""

from handgrad.extras import load

load("sklearn", "sklearn")

from handgrad.interop.sklearn.classifier import NetworkClassifier  # noqa: E402 - only once it is known to be there
from handgrad.interop.sklearn.regressor import NetworkRegressor  # noqa: E402

__all__ = ["NetworkClassifier", "NetworkRegressor"]
