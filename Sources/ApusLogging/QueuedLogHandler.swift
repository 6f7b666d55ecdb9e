// What stands behind each `Logger`: it asks whether the level is written, gathers the metadata, and leaves the
// record in the writer's queue.

import Logging

struct QueuedLogHandler: LogHandler {
    private let label: String
    private let writer: LogWriter
    private let levels: LogLevels
    private let labelLevel: LabelLevel
    /// Set through the logger; it stands above what `LogLevels` says.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(label: String, _ writer: LogWriter, _ levels: LogLevels, _ metadataProvider: Logger.MetadataProvider? = nil) {
        self.label = label
        self.writer = writer
        self.levels = levels
        self.metadataProvider = metadataProvider
        labelLevel = levels.label(label)
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? labelLevel.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        writer.log(event.level, label: label, event.message.description, merged(event))
    }

    /// Of the same key the nearest to the record counts.
    private func merged(_ event: LogEvent) -> Logger.Metadata {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let error = event.error { merged["error"] = "\(error)" }
        if let own = event.metadata { merged.merge(own) { $1 } }
        return merged
    }
}
