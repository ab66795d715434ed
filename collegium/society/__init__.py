"""Societies: populations of a thousand to ten million agents, stepped as arrays.

State lies in columns, contacts in compressed sparse rows, and a step is a list of small functions
over them. Agents that think with a language model do so through the kernel: each on its own where
they are few, as archetypes (one question per group of alike agents) where they are many.
"""

from collegium.society.archetypes import Archetypes
from collegium.society.chance import generator, uniforms
from collegium.society.checkpoint import load, save
from collegium.society.compiled import spread, threads, with_threads
from collegium.society.contacts import contact_layers
from collegium.society.engine import Model, Parameter, Society
from collegium.society.network import Layer, cliques, from_edges, group_rings, shuffled_rings
from collegium.society.operations import (
    Operation,
    Scheduled,
    carry_out,
    read_interventions,
    schedule,
)
from collegium.society.output import write_parquet
from collegium.society.population import Categories, city, fit, read_population, synthesise
from collegium.society.shards import Shards
from collegium.society.state import State, Table

__all__ = [
    "Archetypes",
    "Categories",
    "Layer",
    "Model",
    "Operation",
    "Parameter",
    "Scheduled",
    "Shards",
    "Society",
    "State",
    "Table",
    "carry_out",
    "city",
    "cliques",
    "contact_layers",
    "fit",
    "from_edges",
    "generator",
    "group_rings",
    "load",
    "read_interventions",
    "read_population",
    "save",
    "schedule",
    "shuffled_rings",
    "spread",
    "synthesise",
    "threads",
    "uniforms",
    "with_threads",
    "write_parquet",
]
