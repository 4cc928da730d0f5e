"""Pages to browse behind the figures: HTML files that work offline, one a kind and model.

A module of this package turns artifacts into a `page.Page`; `page.write_page` fills the template
beside it. All numbers and labels are computed and worded here, in Python; the scripts in
``templates/`` unpack pictures and draw.
"""
