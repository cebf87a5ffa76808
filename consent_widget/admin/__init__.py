"""The staff's door: notices are drafted, compared, approved, announced and taken back here.

Whoever is let in was named by the host's ``staff_loader``. Nothing here decides
what a role may do or when a version may take effect: that is core's. What the
public door has and this one needs (words, layout, preview) comes in by
:class:`~consent_widget.admin.desk.Desk`, because doors do not import each other.
"""
