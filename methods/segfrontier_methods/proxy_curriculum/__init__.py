"""Paper 003: a labelled source, an unlabelled target, and the network's own labels, the easy ones first."""

from segfrontier_methods.proxy_curriculum.method import ProxyCurriculum as ProxyCurriculum
