"""report.html: what a report, a plan and a comparison say, on one page that needs no network."""

from outcross.pipeline.page.document import page

__all__ = ["page"]
