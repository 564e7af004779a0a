"""A train step compiled on abstract arguments: no data, no state, no weights."""

import jax
from jax.sharding import Mesh

from vq_jax import sharding
from vq_jax.pretrained.lpips import net_shapes
from vq_jax.training.tasks.base import Task


def compile_step(task: Task, mesh: Mesh) -> jax.stages.Compiled:
    """`compiled(state, batch, key, nets) -> (state, metrics)`, which takes the state.

    States are sharded over the mesh, batches split, keys and networks replicated. The
    state that is passed in is donated. The devices of the mesh may be described ones
    that are not there (`jax.experimental.topologies`): then the result cannot be
    called, but has the cost of a step.
    """
    everywhere = sharding.replicated(mesh)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = sharding.with_shardings(jax.eval_shape(task.init, key), mesh)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    step = jax.jit(
        task.step,
        in_shardings=(
            shardings,
            sharding.batch_sharding(mesh),
            everywhere,
            everywhere,
        ),
        out_shardings=(shardings, everywhere),
        donate_argnums=0,
    )
    return step.lower(state, task.abstract_batch, key, net_shapes(task.nets)).compile()
