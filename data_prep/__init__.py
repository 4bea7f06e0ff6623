"""From images to labelled patches: cohorts, phantoms, readers, candidates, patches, splits. Never Keras."""
