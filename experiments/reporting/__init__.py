"""What `experiments/report.py` and `experiments/readme.py` are made of; reads the folder of figures, never a run.

The paper's side: `paper`, `paper_numbers`; ours held against it: `held_against`, `held_tables`; the page: `page_facts`,
`page_claims`, `page_images` and its template; the README's blocks: `readme_claims`, `readme_tables`, `readme_bench`.
"""
