"""How the scoring of a large data set is split into jobs that run side by side."""

# Of a folder of shards: the paper's scores, and those for comparison, are each made together.
SHARED, COMPARED = "shared", "for_comparison"
SCORED_IN_SHARDS = [name for name in STUDY.grid.datasets if shards_of(name) > 1]
SCORED_AT_ONCE = [name for name in STUDY.datasets if name not in SCORED_IN_SHARDS]


wildcard_constraints:
    scored="|".join([SHARED, COMPARED, *SCORES]),
    shard=r"\d+",
    shards=r"\d+",


def scored_together(wildcards):
    """Names of the scores of a shard."""
    together = {SHARED: SHARED_SCORES, COMPARED: COMPARED_SCORES}
    return together.get(wildcards.scored, [wildcards.scored])


def scored_in_shards(wildcards):
    """Import paths of the architecture and the scores of a shard."""
    scores = scored_together(wildcards)
    return architecture(wildcards) + [registry.SCORES.path(SCORES[s]) for s in scores]


def shard_files(scored=None):
    """Function of wildcards: the files of all shards, of the wildcard's score unless named."""

    def files(wildcards):
        count = shards_of(wildcards.dataset)
        folder = f"{RUN}/{{phase}}/shards/".format(**wildcards) + (
            scored or wildcards.score
        )
        return {
            key: [f"{folder}/{index}of{count}.{ending}" for index in range(count)]
            for key, ending in (("shards", "parquet"), ("timing", "json"))
        }

    return files
