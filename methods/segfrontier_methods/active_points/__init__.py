"""Paper 001: points that a person names, chosen where an adapted model is least certain."""

from segfrontier_methods.active_points.method import ActivePoints as ActivePoints
