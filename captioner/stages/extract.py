"""Stage `extract`: photographs in, features out."""

from captioner.packing import PackedTable
from captioner.pipeline.fingerprint import fingerprint
from captioner.pipeline.stage import Stage, StageOutcome, StageRun
from captioner.stages.sources import Sources

SCHEMA = 1
PICKLE = "features.pkl"


def declare(sources: Sources) -> Stage:
    """Returns the stage, with everything that decides its output."""

    def extract(run: StageRun) -> StageOutcome:
        from captioner.backbones.encoder import load_encoder
        from captioner.features.extraction import ImageSource, extract_features
        from captioner.features.pickles import write_features_pickle

        backbone, settings = sources.settings.backbone, sources.settings.extract
        images = sources.dataset.images
        encoder = load_encoder(
            backbone.name,
            weights=sources.weights_file(run),
            seed=backbone.seed,
            input_size=backbone.input_size,
            outputs=sources.settings.feature_kinds,
            precision=settings.precision,
            grid_side=settings.grid_side,
        )
        store, summary = extract_features(
            PackedTable(ImageSource, images.image_ids, images.files, sources.image_digests),
            encoder,
            run.folder,
            batch_size=settings.batch_size,
            workers=settings.workers,
            earlier=run.earlier,
            encoder_name=fingerprint("encoder", SCHEMA, sources.encoding_inputs()),
        )
        write_features_pickle(run.folder / PICKLE, store)
        return StageOutcome("\n  ".join([str(summary), *summary.notes]), summary.num_failed)

    inputs = {
        **sources.encoding_inputs(),
        **sources.missing_readers,
        "images": sources.images(),
    }
    reuse_on = tuple(sources.encoding_inputs())
    needs = (*sources.encoder_needs, "build")
    return Stage("extract", SCHEMA, inputs, extract, needs=needs, reuse_on=reuse_on)
