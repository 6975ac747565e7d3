"""What people run without Snakemake: `gradval <command>`.

A command is a module of `gradval.cli.commands`; see there.
"""
