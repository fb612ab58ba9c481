FLASK_APP=index
