"""Networks as scikit-learn estimators; see `handgrad.interop.sklearn`."""

from handgrad.interop.sklearn import NetworkClassifier, NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
