"""The page report.html: a report, a plan and a comparison in one file that needs no network."""

from outcross.pipeline.page.document import page

__all__ = ["page"]
