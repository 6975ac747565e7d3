"""Write the page of the study, with a gallery of its samples."""

from dataclasses import replace
from pathlib import Path

import yaml

from gradval.report.study_page.facts import Facts, claim_facts, write_facts
from gradval.report.study_page.gallery import write_gallery
from gradval.report.study_page.how_made import costs_of, made_by
from gradval.report.study_page.material import Material
from gradval.report.study_page.samples import federated_collections, study_collections
from gradval.report.study_page.write import write_study_page
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    files, output, params = snakemake.input, snakemake.output, snakemake.params
    page, checkout = Path(output.page), Path(snakemake.scriptdir).resolve().parents[1]
    facts = replace(
        Facts.from_dict(params.facts),
        claims=claim_facts(checkout / "paper/claims.csv"),
        made=made_by(checkout),
        costs=costs_of(Path("logs")),
        # No reason to write the page anew by itself: what counts of it is among the parameters.
        config=yaml.safe_dump(snakemake.config, sort_keys=False, width=100, allow_unicode=True),
    )
    gallery = None
    folder = Path(output.gallery)
    folder.mkdir(parents=True, exist_ok=True)
    if params.images != "none":
        stores = sorted({Path(file).parent for file in files.stores})
        collections = study_collections(stores, files.scores, params.notices)
        collections += federated_collections(stores, files.get("sites", []), params.scenarios)
        gallery = write_gallery(folder, collections, page=page, images=params.images, k=facts.k)
    material = Material.of(page.parent, [*files.tables, *files.figures, *params.extras], facts)
    write_study_page(page, material, gallery)
    write_facts(page.parent, facts)
