"""Stage `build`: make the encoder, check that it is what it says it is, describe it."""

from captioner.files import write_json
from captioner.pipeline.stage import Stage, StageOutcome, StageRun
from captioner.stages.sources import Sources

SCHEMA = 1
DESCRIPTION = "backbone.json"


def declare(sources: Sources) -> Stage:
    """Returns the stage, with everything that decides its output."""

    def build_encoder(run: StageRun) -> StageOutcome:
        from captioner.backbones.description import describe_backbone

        backbone = sources.settings.backbone
        weights = sources.weights_file(run)
        description = describe_backbone(
            backbone.name, weights=weights, seed=backbone.seed, input_size=backbone.input_size
        )
        write_json(run.folder / DESCRIPTION, description)
        parameters = description["num_parameters"]
        return StageOutcome(f"{backbone.name}, {parameters:,} parameters, checked")

    inputs, needs = sources.backbone_inputs(), sources.encoder_needs
    return Stage("build", SCHEMA, inputs, build_encoder, needs=needs)
