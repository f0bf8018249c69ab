"""Pure functions on tensors and arrays: no files, no Ray, no MLflow, no global state.

The names below are the room's public face. Each loads its module when first asked for, so that asking for a schedule
does not load torch. What a function is used for is not for this room: it knows arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segfrontier.basics.lazy import public_names

if TYPE_CHECKING:
    from segfrontier.maths.acquisition import TopOfPool as TopOfPool
    from segfrontier.maths.acquisition import draw_points as draw_points
    from segfrontier.maths.acquisition import grid_boxes as grid_boxes
    from segfrontier.maths.acquisition import patch_means as patch_means
    from segfrontier.maths.acquisition import patch_of as patch_of
    from segfrontier.maths.acquisition import top_in_each as top_in_each
    from segfrontier.maths.adversarial import Domain as Domain
    from segfrontier.maths.adversarial import domain_loss as domain_loss
    from segfrontier.maths.agreement import Glance as Glance
    from segfrontier.maths.agreement import MeanOf as MeanOf
    from segfrontier.maths.agreement import agreed_labels as agreed_labels
    from segfrontier.maths.boundary import BoundaryCounts as BoundaryCounts
    from segfrontier.maths.boundary import boundary_counts as boundary_counts
    from segfrontier.maths.boundary import boundary_iou_per_class as boundary_iou_per_class
    from segfrontier.maths.boundary import boundary_scores as boundary_scores
    from segfrontier.maths.boundary import mean_boundary_iou as mean_boundary_iou
    from segfrontier.maths.boundary_losses import boundary_loss as boundary_loss
    from segfrontier.maths.branches import Averaging as Averaging
    from segfrontier.maths.branches import branch_labels as branch_labels
    from segfrontier.maths.branches import proxy_labels as proxy_labels
    from segfrontier.maths.branches import variation_ratio as variation_ratio
    from segfrontier.maths.calibration import Calibration as Calibration
    from segfrontier.maths.calibration import calibration_counts as calibration_counts
    from segfrontier.maths.calibration import expected_calibration_error as expected_calibration_error
    from segfrontier.maths.calibration import reliability as reliability
    from segfrontier.maths.checks import require_finite as require_finite
    from segfrontier.maths.class_activation import PlacedMask as PlacedMask
    from segfrontier.maths.class_activation import cam_masks as cam_masks
    from segfrontier.maths.class_activation import grad_cam as grad_cam
    from segfrontier.maths.class_activation import linear_cam as linear_cam
    from segfrontier.maths.class_activation import smaller_wins as smaller_wins
    from segfrontier.maths.class_masking import AllMasked as AllMasked
    from segfrontier.maths.class_masking import large_classes as large_classes
    from segfrontier.maths.class_masking import likely_classes as likely_classes
    from segfrontier.maths.class_masking import mask_classes as mask_classes
    from segfrontier.maths.confusion import Confusion as Confusion
    from segfrontier.maths.confusion import confusion_counts as confusion_counts
    from segfrontier.maths.confusion import restrict as restrict
    from segfrontier.maths.consistency import Consistency as Consistency
    from segfrontier.maths.consistency import softmax_mse as softmax_mse
    from segfrontier.maths.consistency import tag_consistency as tag_consistency
    from segfrontier.maths.curriculum import ramp as ramp
    from segfrontier.maths.curriculum import spell as spell
    from segfrontier.maths.curves import Area as Area
    from segfrontier.maths.curves import curve_area as curve_area
    from segfrontier.maths.curves import precision_recall as precision_recall
    from segfrontier.maths.dense_crf import DEEPLAB as DEEPLAB
    from segfrontier.maths.dense_crf import DIN as DIN
    from segfrontier.maths.dense_crf import DenseCRF as DenseCRF
    from segfrontier.maths.dense_crf import Filtering as Filtering
    from segfrontier.maths.dense_crf import mean_field as mean_field
    from segfrontier.maths.differences import Border as Border
    from segfrontier.maths.differences import boundary_map as boundary_map
    from segfrontier.maths.differences import central_difference as central_difference
    from segfrontier.maths.entropy import normalised_entropy as normalised_entropy
    from segfrontier.maths.entropy import self_information as self_information
    from segfrontier.maths.image_game import MatchingNorm as MatchingNorm
    from segfrontier.maths.image_game import feature_matching as feature_matching
    from segfrontier.maths.image_game import real_or_fake as real_or_fake
    from segfrontier.maths.instance_terms import DetectionScore as DetectionScore
    from segfrontier.maths.instance_terms import instance_evidence as instance_evidence
    from segfrontier.maths.instances import CITYSCAPES_THRESHOLDS as CITYSCAPES_THRESHOLDS
    from segfrontier.maths.instances import VOC_THRESHOLDS as VOC_THRESHOLDS
    from segfrontier.maths.instances import InstanceHits as InstanceHits
    from segfrontier.maths.instances import Ranking as Ranking
    from segfrontier.maths.instances import ap_vol as ap_vol
    from segfrontier.maths.instances import average_precision as average_precision
    from segfrontier.maths.instances import instance_hits as instance_hits
    from segfrontier.maths.instances import instance_scores as instance_scores
    from segfrontier.maths.iou import Absent as Absent
    from segfrontier.maths.iou import accuracy_per_class as accuracy_per_class
    from segfrontier.maths.iou import frequency_weighted_iou as frequency_weighted_iou
    from segfrontier.maths.iou import iou_per_class as iou_per_class
    from segfrontier.maths.iou import mean_accuracy as mean_accuracy
    from segfrontier.maths.iou import mean_iou as mean_iou
    from segfrontier.maths.iou import pixel_accuracy as pixel_accuracy
    from segfrontier.maths.iou import semantic_scores as semantic_scores
    from segfrontier.maths.label_cleaning import Cleaning as Cleaning
    from segfrontier.maths.label_cleaning import CleaningStep as CleaningStep
    from segfrontier.maths.label_cleaning import Evidence as Evidence
    from segfrontier.maths.label_cleaning import boxed_in_tiles as boxed_in_tiles
    from segfrontier.maths.label_cleaning import cleaned_labels as cleaned_labels
    from segfrontier.maths.label_cleaning import filled_boxes as filled_boxes
    from segfrontier.maths.label_cleaning import first_labels as first_labels
    from segfrontier.maths.label_cleaning import inside_boxes as inside_boxes
    from segfrontier.maths.label_cleaning import instances_by_boxes as instances_by_boxes
    from segfrontier.maths.label_cleaning import merged_with_first as merged_with_first
    from segfrontier.maths.label_cleaning import sure_labels as sure_labels
    from segfrontier.maths.label_cleaning import tag_checked as tag_checked
    from segfrontier.maths.label_cleaning import tags_of_tiles as tags_of_tiles
    from segfrontier.maths.losses import Normalisation as Normalisation
    from segfrontier.maths.losses import cross_entropy as cross_entropy
    from segfrontier.maths.losses import label_mass as label_mass
    from segfrontier.maths.matching import Convention as Convention
    from segfrontier.maths.matching import InVoid as InVoid
    from segfrontier.maths.mining import Dropping as Dropping
    from segfrontier.maths.mining import dropped_pixels as dropped_pixels
    from segfrontier.maths.mixing import Selection as Selection
    from segfrontier.maths.mixing import choose_classes as choose_classes
    from segfrontier.maths.mixing import class_mask as class_mask
    from segfrontier.maths.mixing import classes_present as classes_present
    from segfrontier.maths.mixing import paste as paste
    from segfrontier.maths.multilabel import TagScores as TagScores
    from segfrontier.maths.multilabel import average_precision_per_class as average_precision_per_class
    from segfrontier.maths.multilabel import mean_average_precision as mean_average_precision
    from segfrontier.maths.multilabel import tag_scores as tag_scores
    from segfrontier.maths.noise import gumbel_noise as gumbel_noise
    from segfrontier.maths.objects import group_boxes as group_boxes
    from segfrontier.maths.objects import instance_boxes as instance_boxes
    from segfrontier.maths.overlaps import Overlaps as Overlaps
    from segfrontier.maths.overlaps import overlap_maps as overlap_maps
    from segfrontier.maths.overlaps import overlap_masks as overlap_masks
    from segfrontier.maths.panoptic import PanopticCounts as PanopticCounts
    from segfrontier.maths.panoptic import PanopticQuality as PanopticQuality
    from segfrontier.maths.panoptic import PanopticRule as PanopticRule
    from segfrontier.maths.panoptic import panoptic_counts as panoptic_counts
    from segfrontier.maths.panoptic import panoptic_quality as panoptic_quality
    from segfrontier.maths.panoptic import panoptic_scores as panoptic_scores
    from segfrontier.maths.permutation import matched_cross_entropy as matched_cross_entropy
    from segfrontier.maths.permutation import permuted_targets as permuted_targets
    from segfrontier.maths.ramps import Ramp as Ramp
    from segfrontier.maths.ramps import ramp_up as ramp_up
    from segfrontier.maths.schedules import Schedule as Schedule
    from segfrontier.maths.schedules import constant as constant
    from segfrontier.maths.schedules import cosine as cosine
    from segfrontier.maths.schedules import per_epoch as per_epoch
    from segfrontier.maths.schedules import poly as poly
    from segfrontier.maths.schedules import warm_up as warm_up
    from segfrontier.maths.self_training import self_training_loss as self_training_loss
    from segfrontier.maths.self_training import trusted as trusted
    from segfrontier.maths.similarity import Similarity as Similarity
    from segfrontier.maths.similarity import mean_similarity as mean_similarity
    from segfrontier.maths.similarity import weight_similarity as weight_similarity
    from segfrontier.maths.tally import Tally as Tally
    from segfrontier.maths.views import View as View
    from segfrontier.maths.views import ViewMean as ViewMean
    from segfrontier.maths.views import apply_view as apply_view
    from segfrontier.maths.views import make_views as make_views
    from segfrontier.maths.views import mean_over_views as mean_over_views
    from segfrontier.maths.views import six_views as six_views
    from segfrontier.maths.views import undo_view as undo_view
    from segfrontier.maths.whole_batch import WholeBatch as WholeBatch
    from segfrontier.maths.whole_batch import mean_over as mean_over
    from segfrontier.maths.windows import Blend as Blend
    from segfrontier.maths.windows import Window as Window
    from segfrontier.maths.windows import blend_weights as blend_weights
    from segfrontier.maths.windows import make_windows as make_windows
    from segfrontier.maths.windows import slide as slide


__getattr__, __dir__ = public_names(__name__, __file__)
