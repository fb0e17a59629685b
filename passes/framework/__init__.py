"""What a pass is made of and run by: base class, context, registry, options, promises, pipelines, manager."""
