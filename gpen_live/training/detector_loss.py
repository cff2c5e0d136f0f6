"""What the face detector is taught: RetinaFace's multi-task loss, a teacher's dense outputs, and steady landmarks.

Matching and the three supervised terms follow Deng et al., "RetinaFace" (arXiv 1905.00641), with online hard example mining as in
SSD (Liu et al. 2016); distillation follows Hinton et al. 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gpen_live.faces.detect import VARIANCES
from gpen_live.inference.torch_detector import decode_landmarks
from gpen_live.training.scene_plan import Scenes

POSITIVE_IOU = 0.35
IGNORE_IOU = 0.3
NEGATIVES = 7
FEWEST_NEGATIVES = 32
"""Anchors that overlap a face by POSITIVE_IOU are to find it; NEGATIVES hard ones are taken for each of them,
FEWEST_NEGATIVES where there is no face."""

Outputs = tuple[Tensor, Tensor, Tensor]
"""Of the network: box offsets B x N x 4, class logits B x N x 2, landmark offsets B x N x 10."""


@dataclass(frozen=True)
class Targets:
    """For B pictures and N anchors: `face` (B x N) is the slot to find, for anchors that are `positive` (B x N).

    `ignored` (B x N) anchors count neither way; `boxes` (B x N x 4) and `landmarks` (B x N x 10) are those of `face`.
    """

    face: Tensor
    positive: Tensor
    ignored: Tensor
    boxes: Tensor
    landmarks: Tensor


def anchor_overlaps(boxes: Tensor, anchors: Tensor) -> Tensor:
    """IoU of B x K boxes with N anchors (N x 3: centre, side), B x N x K."""
    low, high = anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2
    common = torch.minimum(high[:, None], boxes[:, None, :, 2:]) - torch.maximum(low[:, None], boxes[:, None, :, :2])
    common = common.clamp(min=0).prod(dim=-1)
    area = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)
    return common / (anchors[:, 2, None] ** 2 + area[:, None] - common).clamp(min=1e-6)


def match(scenes: Scenes, anchors: Tensor) -> Targets:
    """Assigns anchors to faces: every anchor to the face that it overlaps most, and every face to its best anchor at least."""
    overlaps = anchor_overlaps(scenes.boxes, anchors)
    own = overlaps.masked_fill(~scenes.labelled[:, None], -1.0)
    best, face = own.max(dim=2)
    first = (own == own.amax(dim=1, keepdim=True)) & (own > 0.1)
    forced = first.any(dim=2)
    face = torch.where(forced, first.float().argmax(dim=2), face)
    positive = (best >= POSITIVE_IOU) | forced
    doubtful = overlaps.masked_fill(~scenes.doubtful[:, None], -1.0).amax(dim=2)
    pick = face[..., None]
    boxes = scenes.boxes.gather(1, pick.expand(-1, -1, 4))
    landmarks = scenes.landmarks.flatten(2).gather(1, pick.expand(-1, -1, 10))
    return Targets(face, positive, (doubtful > IGNORE_IOU) & ~positive, boxes, landmarks)


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The offsets that decode to `boxes` (B x N x 4)."""
    size = anchors[:, 2:]
    centre = ((boxes[..., :2] + boxes[..., 2:]) / 2 - anchors[:, :2]) / (VARIANCES[0] * size)
    sides = ((boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-3) / size).log() / VARIANCES[1]
    return torch.cat([centre, sides], dim=-1)


def encode_landmarks(landmarks: Tensor, anchors: Tensor) -> Tensor:
    """The offsets that decode to `landmarks` (B x N x 10)."""
    return (landmarks - anchors[:, :2].repeat(1, 5)) / (VARIANCES[0] * anchors[:, 2:])


def multibox_loss(outputs: Outputs, targets: Targets, anchors: Tensor) -> dict[str, Tensor]:
    """Class, box and landmark terms, each averaged over the positive anchors."""
    boxes, classes, landmarks = outputs
    positive = targets.positive.float()
    total = positive.sum().clamp(min=1.0)
    error = F.cross_entropy(classes.flatten(0, 1), targets.positive.long().flatten(), reduction="none").view_as(positive)
    negative = (~targets.positive & ~targets.ignored).float()
    hardness = (error.detach() * negative).sort(dim=1, descending=True)
    rank = torch.empty_like(hardness.indices).scatter_(
        1, hardness.indices, torch.arange(positive.shape[1], device=error.device).expand_as(hardness.indices)
    )
    wanted = (NEGATIVES * positive.sum(dim=1, keepdim=True)).clamp(min=FEWEST_NEGATIVES)
    chosen = positive + negative * (rank < wanted)
    # A small beta: below a tenth of an anchor, smooth L1 would hardly care, and landmarks must be exact.
    box_error = F.smooth_l1_loss(boxes, encode_boxes(targets.boxes, anchors), reduction="none", beta=0.2).sum(dim=-1)
    point_error = F.smooth_l1_loss(landmarks, encode_landmarks(targets.landmarks, anchors), reduction="none", beta=0.1).sum(
        dim=-1
    )
    return {
        "class": (error * chosen).sum() / total,
        "box": (box_error * positive).sum() / total,
        "landmark": (point_error * positive).sum() / total,
    }


def teacher_loss(outputs: Outputs, taught: Outputs, targets: Targets) -> dict[str, Tensor]:
    """Distance from a teacher's outputs: classes where it matters, boxes and landmarks where the teacher is sure."""
    boxes, classes, landmarks = outputs
    soft = taught[1].softmax(dim=-1)
    divergence = F.kl_div(classes.log_softmax(dim=-1), soft, reduction="none").sum(dim=-1)
    sure = ((soft[..., 1] > 0.5) & ~targets.ignored).float()
    near = torch.maximum(sure, targets.positive.float())
    # Walls outnumber faces by far, and teach little each.
    far = (1 - near) * (~targets.ignored).float()
    total = near.sum().clamp(min=1)
    classes_error = ((near + 0.1 * far) * divergence).sum() / total
    box_error = F.smooth_l1_loss(boxes, taught[0], reduction="none", beta=0.2).sum(dim=-1)
    point_error = F.smooth_l1_loss(landmarks, taught[2], reduction="none", beta=0.1).sum(dim=-1)
    return {
        "teacher class": classes_error,
        "teacher box": (box_error * sure).sum() / total,
        "teacher landmark": (point_error * sure).sum() / total,
    }


def face_residuals(outputs: Outputs, targets: Targets, anchors: Tensor, slots: int) -> tuple[Tensor, Tensor]:
    """Errors of the landmarks that averaging over a face's anchors gives, as shares of its box.

    Returns:
        Errors, B x slots x 10, and which slots have a face, B x slots.
    """
    score = outputs[1].detach().softmax(dim=-1)[..., 1]
    size = (targets.boxes[..., 2:] - targets.boxes[..., :2]).clamp(min=1).mean(dim=-1, keepdim=True)
    error = (decode_landmarks(outputs[2], anchors) - targets.landmarks) / size
    one_hot = F.one_hot(targets.face, slots) * targets.positive[..., None]
    weights = one_hot * (score[..., None] + 0.02)
    total = weights.sum(dim=1)
    return torch.einsum("bnk,bnc->bkc", weights, error) / total[..., None].clamp(min=1e-6), total > 0


def steadiness_loss(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """The averaged landmarks of two photographs of one scene: their errors, and how much these differ (jitter)."""
    both = (first[1] & second[1]).float()[..., None]
    total = both.sum().clamp(min=1) * first[0].shape[-1]
    return {
        "residual": ((first[0].abs() + second[0].abs()) / 2 * both).sum() / total,
        "jitter": ((first[0] - second[0]).abs() * both).sum() / total,
    }
