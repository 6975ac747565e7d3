"""Write the page of the study, with a gallery of its samples."""

from dataclasses import replace
from pathlib import Path

from gradval.report.study_page.facts import costs_of, made_by
from gradval.report.study_page.gallery import write_gallery
from gradval.report.study_page.material import Facts, Material, write_facts
from gradval.report.study_page.samples import federated_collections, study_collections
from gradval.report.study_page.write import write_study_page
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    files, output, params = snakemake.input, snakemake.output, snakemake.params
    page = Path(output.page)
    facts = replace(
        Facts.from_dict(params.facts),
        made=made_by(Path(snakemake.scriptdir)),
        costs=costs_of(Path("logs")),
    )
    gallery = None
    folder = Path(output.gallery)
    folder.mkdir(parents=True, exist_ok=True)
    if params.images != "none":
        stores = sorted({Path(file).parent for file in files.stores})
        collections = study_collections(stores, files.scores, params.notices)
        collections += federated_collections(stores, files.get("sites", []), params.scenarios)
        gallery = write_gallery(folder, collections, page=page, images=params.images, k=facts.k)
    material = Material.of(page.parent, [*files.tables, *files.figures], facts)
    write_study_page(page, material, gallery)
    write_facts(page.parent, facts)
