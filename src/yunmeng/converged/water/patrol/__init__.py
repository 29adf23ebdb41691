"""Patrol 巡查: sand mining and dangerous dike sections watched by what ships and sensors say."""

from yunmeng.converged.water.patrol.mining import Finding, Track, Zone, judge_tracks

__all__ = ["Finding", "Track", "Zone", "judge_tracks"]
