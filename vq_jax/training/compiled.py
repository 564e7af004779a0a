"""A train step compiled on abstract arguments: no data, no state, no weights."""

import jax

from vq_jax import compiler, sharding
from vq_jax.pretrained import nets
from vq_jax.training import memory
from vq_jax.training.setup import Setup


def compile_step(setup: Setup) -> jax.stages.Compiled:
    """`compiled(state, batch, key, nets) -> (state, metrics)`, which takes the state.

    States are sharded over the mesh, batches split, keys and networks replicated. The
    state that is passed in is donated. Where the devices of the mesh are described ones
    that are not there, the result cannot be called, but has the cost of a step.
    """
    task, everywhere = setup.task, sharding.replicated(setup.mesh)
    split = sharding.batch_sharding(setup.mesh)
    step = jax.jit(
        task.step,
        in_shardings=(setup.shardings, split, everywhere, everywhere),
        out_shardings=(setup.shardings, everywhere),
        donate_argnums=0,
    )
    key = jax.eval_shape(lambda: jax.random.key(0))
    lowered = step.lower(
        setup.abstract_state, task.abstract_batch, key, nets.shapes(task.nets)
    )
    options = compiler.options(setup.mesh.devices.flat[0])
    compiled = lowered.compile(compiler_options=options)
    memory.return_freed()
    return compiled
