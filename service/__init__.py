"""The REST service over a dysk workspace: facts in, answers out.

``service.app.create_app`` makes the application, ``service.run.serve`` runs it.
"""
